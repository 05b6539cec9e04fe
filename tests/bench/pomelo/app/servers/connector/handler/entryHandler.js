"use strict";

class Handler {
  constructor(app) {
    this.app = app;
  }

  enter({ username, rid }, session, next) {
    const uid = `${username}*${rid}`;
    const frontend = this.app.getServerId();
    const { chatRemote } = this.app.rpc.chat;
    session.bind(uid);
    session.set("rid", rid);
    session.push("rid", () => {});
    session.on("closed", () => chatRemote.leave(session, uid, frontend, rid, () => {}));
    chatRemote.enter(session, uid, frontend, rid, (users) => next(null, { users }));
  }
}

module.exports = (app) => new Handler(app);
