import { Pool } from "pg";

// Enough connections that commits of several share one write to the disk.
export const pool = new Pool({ connectionString: process.env.DATABASE_URL, max: 20 });

// A lost idle connection is replaced by the pool; it must not end the process.
pool.on("error", (err) => console.error("database connection lost", err.message));
