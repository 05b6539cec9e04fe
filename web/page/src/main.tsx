import { render } from "preact";
import { App } from "./state/app.ts";
import { keepShell } from "./shell.ts";
import { applyAppearance } from "./state/appearance.ts";
import { Root } from "./ui/Root.tsx";
import "./style.css";

applyAppearance();
render(<Root app={new App()} />, document.getElementById("app")!);
if (import.meta.env.PROD) window.addEventListener("load", () => void keepShell());
