/**
 * Scenarios that Mosquitto 2.0.11 fails against the text of the specification, with what it does. The test against
 * Mosquitto expects them to fail there, and so shows that they can.
 */
export const MOSQUITTO_2_0_11_DIFFERENCES: Readonly<Record<string, string>> = {
  "MQTT.js 5.0: a shared subscription gets no retained messages (§4.8.2)":
    "sends retained messages to shared subscriptions",
  "MQTT.js 5.0: the client that is taken over is told 0x8E (§3.1.4)": "closes without DISCONNECT",
  "MQTT.js 5.0: the will is sent at once when the session ends with the connection (§3.1.3.2.2)":
    "waits for the will's delay",
};
