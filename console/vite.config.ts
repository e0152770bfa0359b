// How the console is built and developed. In development the API of a running server is proxied;
// TILDE_API_KEY, if set, stands in for signing in.
import react from "@vitejs/plugin-react";
import { type Plugin, defineConfig } from "vite";

const server = process.env.TILDE_ENDPOINT_URL ?? "http://127.0.0.1:8765";
const key = process.env.TILDE_API_KEY;

/** Every file that is committed ends with a line break. */
const lastLine: Plugin = {
  name: "last-line",
  generateBundle(_, bundle) {
    for (const file of Object.values(bundle)) {
      if (file.type === "chunk" && !file.code.endsWith("\n")) file.code += "\n";
    }
  },
};

export default defineConfig({
  plugins: [react(), lastLine],
  build: {
    target: "es2022",
    // From these versions on browsers know light-dark().
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    // The policy forbids data: URLs and inline scripts, so nothing is inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: {
    proxy: {
      "/api": { target: server, headers: key ? { authorization: `Bearer ${key}` } : {} },
    },
  },
});
