// Uses the types that `openapi-typescript` made of the document, with its runtime `openapi-fetch`: creates an endpoint, sends an
// event, waits until it is delivered and reads the attempt.
//
// smoke.js BASE KEY URL -> `delivered EVENT_ID STATUS`

import createClient from "openapi-fetch";
import type { components, paths } from "./hookway.js";

declare const process: { argv: string[] };

const [base, key, url] = process.argv.slice(2) as [string, string, string];
const client = createClient<paths>({ baseUrl: base, headers: { Authorization: `Bearer ${key}` } });

async function delivered(eventId: string): Promise<components["schemas"]["DeliveryRow"]> {
  for (;;) {
    const { data, error } = await client.GET("/v1/deliveries", { params: { query: { event_id: eventId } } });
    if (error) throw new Error(error.detail);
    const row = data.data[0];
    if (row?.status === "delivered") return row;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const created = await client.POST("/v1/endpoints", { body: { url, topics: ["orders/*"] } });
if (created.error) throw new Error(created.error.detail);

const sent = await client.POST("/v1/events", { body: { event: "orders/created", data: { total: 99 } } });
if (sent.error) throw new Error(sent.error.detail);
if (typeof sent.data === "string" || !("event_id" in sent.data)) throw new Error("one event was answered like many");

const row = await delivered(sent.data.event_id);
const one = await client.GET("/v1/deliveries/{id}", { params: { path: { id: row.id } } });
if (one.error) throw new Error(one.error.detail);
console.log(`delivered ${one.data.event_id} ${one.data.attempt_log[0]?.status}`);

const wrong = await client.GET("/v1/endpoints/{id}", { params: { path: { id: "ep_1" } } });
if (wrong.error?.code !== "not_found") throw new Error("what is not there is not found");
