"use strict";

class Handler {
  constructor(app) {
    this.app = app;
  }

  queryEntry({ uid }, session, next) {
    const [connector] = this.app.getServersByType("connector");
    if (!uid || !connector) {
      next(null, { code: 500 });
      return;
    }
    next(null, { code: 200, host: connector.host, port: connector.clientPort });
  }
}

module.exports = (app) => new Handler(app);
