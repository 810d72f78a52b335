// The webhook handler that a good engineer writes with Next.js and PostgreSQL:
// verify, deduplicate, keep the event, move the lead, in one transaction. It is
// measured beside Handoff and is no part of it.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { pool } from "@/lib/db";

export const runtime = "nodejs";
export const dynamic = "force-dynamic";

const maxBody = 256 * 1024;

type Webhook = {
  triggerEvent: string;
  payload: { uid: string; startTime: string; metadata?: { submissionId?: string } };
};

function signed(body: Buffer, signature: string | null): boolean {
  const secret = process.env.PEER_SECRET;
  if (!secret || !signature) return false;
  const want = createHmac("sha256", secret).update(body).digest();
  const given = Buffer.from(signature, "hex");
  return given.length === want.length && timingSafeEqual(given, want);
}

export async function POST(request: Request): Promise<Response> {
  const body = Buffer.from(await request.arrayBuffer());
  if (body.length > maxBody) return Response.json({ result: "body too large" }, { status: 413 });
  if (!signed(body, request.headers.get("x-cal-signature-256"))) {
    return Response.json({ result: "signature missing or wrong" }, { status: 401 });
  }
  const text = body.toString("utf8");
  let webhook: Webhook;
  try {
    webhook = JSON.parse(text);
  } catch {
    return Response.json({ result: "not understood" }, { status: 422 });
  }
  const isNew = await keep(createHash("sha256").update(body).digest("hex"), text, webhook);
  return Response.json({ result: isNew ? "stored" : "already stored" });
}

// keep writes event and lead in one transaction. The statements are named, so that
// each connection prepares them once.
async function keep(digest: string, body: string, { triggerEvent, payload }: Webhook): Promise<boolean> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    const event = await client.query({
      name: "keep-event",
      text: `INSERT INTO events (digest, trigger_name, uid, body) VALUES ($1, $2, $3, $4) ON CONFLICT (digest) DO NOTHING`,
      values: [digest, triggerEvent, payload.uid, body],
    });
    const isNew = event.rowCount === 1;
    const reference = payload.metadata?.submissionId;
    if (isNew && triggerEvent === "BOOKING_CREATED" && reference) {
      await client.query({
        name: "move-lead",
        text: `UPDATE leads SET stage = 'booked', booking = $2, starts = $3, updated_at = now() WHERE reference = $1`,
        values: [reference, payload.uid, payload.startTime],
      });
    }
    await client.query("COMMIT");
    return isNew;
  } catch (err) {
    await client.query("ROLLBACK").catch(() => {});
    throw err;
  } finally {
    client.release();
  }
}
