/** At hand for every message. */
export const AT_HAND = ["👍", "❤️", "😂", "🎉", "😮", "😢"] as const;

/** What there is to choose from besides; eight are in a row. */
export const EMOJI: readonly string[] = (
  "👍 👎 👏 🙌 🙏 🤝 💪 👋 👌 ✌️ 🤞 🫶 👀 🧠 🫡 🤷 " +
  "😀 😄 😁 😂 🤣 😊 🙂 😉 😍 🥰 😘 😎 🤓 🤔 🤨 😐 " +
  "🙄 😏 😬 😮 😲 😳 🥺 😢 😭 😤 😡 🤯 😱 😴 🤗 🥳 " +
  "❤️ 🧡 💛 💚 💙 💜 🖤 💔 🔥 ✨ ⭐ 🎉 🎊 🎁 🏆 🥇 " +
  "✅ ❌ ❓ ❗ 💯 ➕ ➖ ⏳ 🚀 🐛 💡 🔧 📌 📈 ☕ 🍰"
).split(" ");
