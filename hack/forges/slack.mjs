// Sends to an incoming webhook with Slack's own client, and prints what it got, or why it was refused.
import { pathToFileURL } from "node:url";

const { MODULES, URL: url } = process.env;
const { IncomingWebhook } = await import(pathToFileURL(`${MODULES}/node_modules/@slack/webhook/dist/index.js`));
const sent = async (message) => {
  try {
    return (await new IncomingWebhook(url).send(message)).text;
  } catch (error) {
    return error.code;
  }
};
console.log(JSON.stringify({ text: await sent({ text: "*eu* has drift" }), empty: await sent({ text: "" }) }));
