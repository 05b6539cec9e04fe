"use strict";

const name = (uid) => uid.split("*")[0];

// An object, not a class: pomelo finds only what is enumerable.
module.exports = (app) => {
  const channels = app.get("channelService");
  return {
    enter(uid, frontend, rid, answer) {
      const channel = channels.getChannel(rid, true);
      channel.pushMessage({ route: "onAdd", user: name(uid) });
      channel.add(uid, frontend);
      answer(channel.getMembers().map(name));
    },
    leave(uid, frontend, rid, answer) {
      const channel = channels.getChannel(rid, false);
      if (channel) {
        channel.leave(uid, frontend);
        channel.pushMessage({ route: "onLeave", user: name(uid) });
      }
      answer();
    },
  };
};
