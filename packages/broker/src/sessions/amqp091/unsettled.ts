/** A delivery that the client has not settled; the engine finds it again by its tag. */
export interface Unsettled {
  /** The client has done its work. */
  ack(): void;
  /** Somebody is to get it again: at once, in its old place. */
  requeue(): void;
  /** It is nobody's any more: dead-lettered. */
  reject(): void;
}
