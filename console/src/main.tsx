// Where the console begins.
import { QueryClientProvider } from "@tanstack/react-query";
import { createRoot } from "react-dom/client";
import { client } from "./api/queries";
import { App } from "./app/App";
import { applyTheme } from "./app/theme";
import "./styles/index.css";

applyTheme();
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <QueryClientProvider client={client}>
      <App />
    </QueryClientProvider>,
  );
}
