/** `polymq/otel`: OpenTelemetry for clients of `polymq`. Needs the package `@opentelemetry/api`. */
export { contextOf, type Instrumented, type InstrumentOptions, instrument } from "./instrument.ts";
