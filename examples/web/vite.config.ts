import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// The `dev` server of the API, for `npm run dev`.
const api = process.env['BOOKING_API'] ?? 'http://127.0.0.1:5000'
const proxied = { target: api, changeOrigin: true }

export default defineConfig({
  plugins: [react()],
  // Files, never `data:` URLs: the content security policy lets fonts come from the server alone.
  build: { assetsInlineLimit: 0, target: 'es2024' },
  server: { proxy: { '/api': proxied, '/dev': proxied } },
})
