"use strict";

class Handler {
  constructor(app) {
    this.channels = app.get("channelService");
  }

  send({ content, target }, session, next) {
    const rid = session.get("rid");
    const channel = this.channels.getChannel(rid, false);
    const message = { msg: content, from: session.uid.split("*")[0], target };
    if (target === "*") {
      channel.pushMessage("onChat", message);
      next(null, {});
      return;
    }
    const member = channel.getMember(`${target}*${rid}`);
    if (!member) {
      next(null, { code: 500 });
      return;
    }
    this.channels.pushMessageByUids("onChat", message, [{ uid: member.uid, sid: member.sid }]);
    next(null, {});
  }
}

module.exports = (app) => new Handler(app);
