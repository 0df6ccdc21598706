// A front-end's use of the generated types: nothing is cast, and every answer is told apart.

import createClient from "openapi-fetch";

import type { components, paths } from "./api.js";

type Problem = components["schemas"]["Problem"];

const client = createClient<paths>({ baseUrl: "http://127.0.0.1:8080" });

export async function unitsByDay(start: string, end: string): Promise<Map<string, number>> {
  const { data, error } = await client.GET("/api/billing/usage/daily", {
    params: { query: { start, end, meter: ["sms.send"] } },
  });
  if (error) throw new Error(told(error));
  return new Map(data.days.map(({ date, usage }) => [date, usage[0]?.total ?? 0]));
}

function told({ code, detail }: Problem): string {
  return code === "not_ready" ? "try again" : detail;
}
