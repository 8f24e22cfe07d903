/** Error conditions by name (§2.8.15 to §2.8.18, §4.5.8). */
export const Condition = {
  internalError: "amqp:internal-error",
  notFound: "amqp:not-found",
  unauthorizedAccess: "amqp:unauthorized-access",
  decodeError: "amqp:decode-error",
  resourceLimitExceeded: "amqp:resource-limit-exceeded",
  notAllowed: "amqp:not-allowed",
  invalidField: "amqp:invalid-field",
  notImplemented: "amqp:not-implemented",
  resourceLocked: "amqp:resource-locked",
  preconditionFailed: "amqp:precondition-failed",
  resourceDeleted: "amqp:resource-deleted",
  illegalState: "amqp:illegal-state",
  frameSizeTooSmall: "amqp:frame-size-too-small",
  connectionForced: "amqp:connection:forced",
  framingError: "amqp:connection:framing-error",
  connectionRedirect: "amqp:connection:redirect",
  windowViolation: "amqp:session:window-violation",
  errantLink: "amqp:session:errant-link",
  handleInUse: "amqp:session:handle-in-use",
  unattachedHandle: "amqp:session:unattached-handle",
  detachForced: "amqp:link:detach-forced",
  transferLimitExceeded: "amqp:link:transfer-limit-exceeded",
  messageSizeExceeded: "amqp:link:message-size-exceeded",
  linkRedirect: "amqp:link:redirect",
  stolen: "amqp:link:stolen",
  transactionUnknownId: "amqp:transaction:unknown-id",
  transactionRollback: "amqp:transaction:rollback",
  transactionTimeout: "amqp:transaction:timeout",
} as const;

/** Sender settle modes (§2.8.2): each delivery unsettled, each settled, or as the sender likes. */
export const SenderSettleMode = { unsettled: 0, settled: 1, mixed: 2 } as const;

/** Receiver settle modes (§2.8.3): the receiver settles first, or only after the sender. */
export const ReceiverSettleMode = { first: 0, second: 1 } as const;

/** What a terminus keeps (§3.5.5). */
export const TerminusDurability = { none: 0, configuration: 1, unsettledState: 2 } as const;

/** SASL outcome codes (§5.3.3.6). */
export const SaslCode = { ok: 0, auth: 1, sys: 2, sysPerm: 3, sysTemp: 4 } as const;
