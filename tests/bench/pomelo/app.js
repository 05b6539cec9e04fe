"use strict";

// A chat on pomelo with the six routes that `parley up --pomelo` serves: a gate,
// a connector and a chat server, each a process, which the master starts.
const pomelo = require("pomelo");

const app = pomelo.createApp();
app.set("name", "bench");
app.configure("production|development", "gate|connector", () => {
  app.set("connectorConfig", { connector: pomelo.connectors.hybridconnector, heartbeat: 25 });
});
app.start();
