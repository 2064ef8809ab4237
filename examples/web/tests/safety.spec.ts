import { createServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'

import { CLIENT, expect, test } from './fixtures'

/** A server of somebody else on this machine, with an empty page. */
async function elsewhere(): Promise<HttpServer> {
  const server = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<title>.</title>'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

test('pages of other servers, on this machine too, get no tokens', async ({ server, browser }) => {
  const other = await elsewhere()
  const page = await (await browser.newContext()).newPage()
  const ask = (url: string) =>
    page.evaluate(async (url) => {
      const response = await fetch(url).catch(() => undefined)
      return response === undefined ? 'unreadable' : `${response.status} ${await response.text()}`
    }, url)
  const users = `${server.origin}/dev/users`
  await page.goto(`http://127.0.0.1:${(other.address() as AddressInfo).port}/`)
  expect(await ask(users)).not.toContain('token')
  // They may call the API, with a token: CORS works, so it is not that which keeps them out.
  expect(await ask(`${server.origin}/dev/clock`)).toContain('200')
  await page.goto(`${server.origin}/`)
  expect(await ask(users)).toContain('"token"')
  await page.context().close()
  other.close()
})

test('the pages run nothing that is not a file of this server', async ({ server, arrive }) => {
  const john = await arrive(CLIENT)
  const response = await fetch(`${server.origin}/`)
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'")
  const ran = await john.page.evaluate(() => {
    const script = document.createElement('script')
    script.textContent = 'window.name = "ran"'
    document.head.append(script)
    return window.name
  })
  expect(ran).toBe('')
  expect(john.complaints.splice(0).join()).toContain('Content Security Policy')
  for (const path of ['/assets/nothing.js', '/assets/..%2findex.html', '/assets/%2e%2e%2fpackage.json']) {
    expect((await fetch(server.origin + path)).status, path).toBe(404)
  }
})
