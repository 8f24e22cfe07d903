import { Redial } from "../../supervisor/redial.ts";
import { Resender } from "./resender.ts";

/** What a client needs to come back after a connection: when to dial again, and what to send again. */
export interface Recovery {
  readonly Redial: typeof Redial;
  readonly Resender: typeof Resender;
}

/** All of it. */
export const RECOVERY: Recovery = { Redial, Resender };
