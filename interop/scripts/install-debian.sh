#!/usr/bin/env bash
# Installs the real brokers and real peer clients of the interop tier from Debian's archive.
#
#   interop/scripts/install-debian.sh [brokers] [clients] [specs] [browser] [documents] [shells]     (no argument: all of them)
#
# Installs what is missing and nothing else; a second run changes nothing and needs no network. No service is started,
# so the standard ports stay free: the tests start brokers of their own. Needs root, or sudo for a user who may use it
# without a password. Exits 1 when a package cannot be had, 2 for an unknown group.
set -euo pipefail

readonly POLICY=/usr/sbin/policy-rc.d
readonly POLICY_SAVED=/usr/sbin/policy-rc.d.polymq-saved
readonly POLICY_MARK="polymq: no service starts while the interop packages are installed"
readonly ATTEMPTS=3
readonly LOCK_WAIT_SECONDS=300

main() {
  local groups=("$@")
  [ ${#groups[@]} -gt 0 ] || groups=(brokers clients specs browser documents shells)
  local wanted=() group
  for group in "${groups[@]}"; do
    # A failure inside $( ) in an array would be lost, hence the detour.
    local packages
    packages=$(packages_of "$group") || exit 2
    read -r -a packages <<<"$packages"
    wanted+=("${packages[@]}")
  done

  local missing=() package
  for package in "${wanted[@]}"; do
    is_installed "$package" || missing+=("$package")
  done
  if [ ${#missing[@]} -eq 0 ]; then
    report "${wanted[@]}"
    return
  fi

  become_root "$@"
  install_packages "${missing[@]}"
  report "${wanted[@]}"
}

packages_of() {
  case "$1" in
    brokers) echo "mosquitto rabbitmq-server openssl" ;;
    clients) echo "mosquitto-clients python3 python3-paho-mqtt python3-qpid-proton python3-pika python3-kombu libsasl2-modules amqp-tools" ;;
    specs) echo "amqp-specs" ;;
    browser) echo "chromium" ;;
    documents) echo "curl jq" ;; # their shell blocks use them
    shells) echo "zsh fish" ;; # completion is tried in them
    *)
      echo "install-debian.sh: unknown group '$1' (brokers, clients, specs, browser, documents, shells)" >&2
      return 1
      ;;
  esac
}

is_installed() {
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

become_root() {
  [ "$(id -u)" -ne 0 ] || return 0
  if ! command -v sudo >/dev/null; then
    echo "install-debian.sh: run me as root, or install sudo" >&2
    exit 1
  fi
  exec sudo --non-interactive bash "$(readlink -f "$0")" "$@"
}

install_packages() {
  export DEBIAN_FRONTEND=noninteractive
  local apt=(apt-get --quiet -o Acquire::Retries="$ATTEMPTS" -o DPkg::Lock::Timeout="$LOCK_WAIT_SECONDS")
  trap restore_policy EXIT
  # A signal must reach the EXIT trap too, or services would stay forbidden on the machine.
  trap 'exit 130' INT
  trap 'exit 143' TERM
  forbid_service_starts
  retry "${apt[@]}" update
  retry "${apt[@]}" install --yes --no-install-recommends "$@"
  local package
  for package in "$@"; do
    if ! is_installed "$package"; then
      echo "install-debian.sh: $package could not be installed" >&2
      exit 1
    fi
  done
}

# Debian's maintainer scripts ask policy-rc.d before they start a service; 101 is "not allowed".
forbid_service_starts() {
  if [ -e "$POLICY" ] && ! grep -qs "$POLICY_MARK" "$POLICY"; then
    mv "$POLICY" "$POLICY_SAVED"
  fi
  printf '#!/bin/sh\n# %s\nexit 101\n' "$POLICY_MARK" >"$POLICY"
  chmod 755 "$POLICY"
}

# Touches the file only if it is ours: a run that found nothing to do must not remove another run's.
restore_policy() {
  grep -qs "$POLICY_MARK" "$POLICY" || return 0
  if [ -e "$POLICY_SAVED" ]; then
    mv "$POLICY_SAVED" "$POLICY"
  else
    rm -f "$POLICY"
  fi
}

retry() {
  local attempt
  for ((attempt = 1; attempt <= ATTEMPTS; attempt++)); do
    if "$@"; then return 0; fi
    echo "install-debian.sh: attempt $attempt of $ATTEMPTS failed: $*" >&2
    [ "$attempt" -eq "$ATTEMPTS" ] || sleep "$attempt"
  done
  return 1
}

report() {
  dpkg-query --show --showformat='${Package} ${Version}\n' "$@"
}

main "$@"
