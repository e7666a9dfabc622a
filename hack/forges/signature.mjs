// Verifies the signature of a webhook with the library that GitHub's receivers use, and prints whether it holds.
import { pathToFileURL } from "node:url";

const { MODULES, KEY, BODY, SIGNATURE } = process.env;
const { verify } = await import(pathToFileURL(`${MODULES}/node_modules/@octokit/webhooks-methods/dist-node/index.js`));
console.log(await verify(KEY, BODY, SIGNATURE));
