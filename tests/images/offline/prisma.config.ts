// Only for building offline; a real image has no such file. Prisma's native schema engine is downloaded from Prisma's own
// mirror, which a machine with nothing but package registries cannot reach. The same engine comes as WASM inside the npm
// package, and this file, laid over the shop's own prisma.config.ts, switches it on. It serves `migrate deploy` and
// `migrate status` (not `migrate resolve`), and its texts differ in places from the native engine's.
import { PrismaPg } from '/opt/offline/node_modules/@prisma/adapter-pg/dist/index.js'
import { defineConfig } from 'prisma/config'
import shop from './prisma.config.shop'

// Prisma looks for both before it knows that neither is used: any program and any file will do.
process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= process.execPath
process.env.PRISMA_QUERY_ENGINE_LIBRARY ??= process.execPath
// No question about new versions, which would wait for an answer from the network.
process.env.CHECKPOINT_DISABLE ??= '1'

// In this mode a timer of 10 s and, for as long, an idle connection outlive a deploy that has succeeded. Nothing waits for
// either, so neither may keep Node alive (for the connection see allowExitOnIdle below).
const start = globalThis.setTimeout
globalThis.setTimeout = Object.assign((run: any, ms?: number, ...rest: any[]) => {
  const timer = start(run, ms, ...rest)
  return (ms ?? 0) >= 5000 ? timer.unref() : timer
}, start)

// The engine reads PostgreSQL's catalogue, whose columns of type `name` (19) the adapter does not know; `text` (25) reads the same.
class Pg extends PrismaPg {
  async connect() {
    const connection: any = await super.connect()
    const perform = connection.performIO.bind(connection)
    connection.performIO = async (query: unknown) => {
      const result = await perform(query)
      for (const field of result.fields ?? []) if (field.dataTypeID === 19) field.dataTypeID = 25
      return result
    }
    return connection
  }
}

export default defineConfig({
  ...shop,
  experimental: { adapter: true },
  engine: 'js',
  adapter: async () => new Pg({ connectionString: process.env.DATABASE_URL, allowExitOnIdle: true }),
})
