import type { TransportInfo } from "polymq/internal";

/** Who wants in. */
export interface AuthenticateRequest {
  /** Never empty: what the broker assigned when the client sent none. */
  readonly clientId: string;
  /** Null when the client named no user. */
  readonly username: string | null;
  /** Null when the client sent no password. */
  readonly password: Uint8Array | null;
  /** Subject common name of the client's certificate when TLS verified one, else "". */
  readonly certificateCommonName: string;
  /** Name of the protocol, such as `mqtt`. */
  readonly protocol: string;
  /** Where the connection comes from and whether it is encrypted. */
  readonly transport: TransportInfo;
}

/** Why a client is not let in; each protocol says it in its own codes. */
export type DenyReason = "badCredentials" | "notAuthorized" | "banned" | "serverBusy";

/** The answer to {@link AuthenticateRequest}. */
export type AuthDecision =
  | {
      readonly allow: true;
      /** The name it is known by from now on. Default: the user name, or "" without one. */
      readonly principal?: string;
      /** Another client id than the one it asked for. */
      readonly clientId?: string;
      /** Anything that later decisions need, such as roles; handed back in {@link Principal.attributes}. */
      readonly attributes?: unknown;
    }
  | { readonly allow: false; readonly reason: DenyReason };

/** A client that was let in. */
export interface Principal {
  /** Its authenticated name, or "" when it is anonymous. */
  readonly name: string;
  readonly clientId: string;
  /** Name of the protocol, such as `mqtt`. */
  readonly protocol: string;
  /** What `authenticate` said about it, else undefined. */
  readonly attributes: unknown;
}

/** More about a message that somebody wants to publish. */
export interface PublishDetails {
  /** True when it is to be retained on its topic. */
  readonly retain: boolean;
}

/** More about a subscription that somebody wants. */
export interface SubscribeDetails {
  /** The group that shares the messages, or null. */
  readonly group: string | null;
}

/** Decides whether a client is let in. */
export type Authenticate = (request: AuthenticateRequest) => AuthDecision | Promise<AuthDecision>;

/** Decides whether a client may publish to a topic. */
export type AuthorizePublish = (
  principal: Principal,
  topic: string,
  details: PublishDetails,
) => boolean | Promise<boolean>;

/** Decides whether a client may subscribe to a filter, which stands here without the name of its group. */
export type AuthorizeSubscribe = (
  principal: Principal,
  filter: string,
  details: SubscribeDetails,
) => boolean | Promise<boolean>;

/**
 * The application's own decisions. All of them fail closed: whatever throws, rejects, takes longer than the deadline or answers in
 * another form is a refusal.
 */
export interface AuthHooks {
  /** Takes the place of the user table. */
  readonly authenticate?: Authenticate;
  /** Asked when the static permissions allow it; answers are reused for the connection and topic as long as `cacheMs` says. */
  readonly authorizePublish?: AuthorizePublish;
  /** As {@link AuthHooks.authorizePublish}, for subscriptions. */
  readonly authorizeSubscribe?: AuthorizeSubscribe;
}
