import { render } from "preact";
import { App } from "./state/app.ts";
import { applyAppearance } from "./state/appearance.ts";
import { Root } from "./ui/Root.tsx";
import "./style.css";

applyAppearance();
render(<Root app={new App()} />, document.getElementById("app")!);
