// Answers GET / with the release that runs and one row from the database, and GET /healthz while the process is alive.
'use strict'

const http = require('node:http')
const { Pool } = require('pg')

const release = process.env.RELEASE || 'unknown'
const pool = new Pool({
  connectionString: process.env.DATABASE_URL,
  max: 4,
  connectionTimeoutMillis: 3000,
})

// An idle connection that breaks is replaced by the pool; without a listener it would end the process.
pool.on('error', (error) => console.error('database connection lost:', error.message))

async function answer(url) {
  if (url === '/healthz') return [200, { release }]
  if (url !== '/') return [404, { release, error: 'not found' }]
  try {
    const { rows } = await pool.query('SELECT * FROM "Product" ORDER BY "id" LIMIT 1')
    return [200, { release, product: rows[0] ?? null }]
  } catch (error) {
    console.error('query failed:', error.message)
    return [503, { release, error: 'the database does not answer' }]
  }
}

const server = http.createServer(async (request, response) => {
  const [status, body] = await answer(request.url)
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body) + '\n')
})

server.listen(Number(process.env.PORT || 8080), () => console.log(`shop ${release} listens`))

process.on('SIGTERM', () => server.close(() => pool.end()))
