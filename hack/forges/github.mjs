// Does with octokit what reports on a pull request need, and prints what it got.
import { pathToFileURL } from "node:url";

const { Octokit } = await import(pathToFileURL(`${process.env.MODULES}/node_modules/@octokit/rest/dist-src/index.js`));
const client = (auth) => new Octokit({ auth, baseUrl: process.env.GITHUB_API_URL, log: { debug() {}, info() {}, warn() {}, error() {} } });
const octokit = client(process.env.GITHUB_TOKEN);
const here = { owner: "acme", repo: "connections" };
const { rest } = octokit;

const issue = { ...here, issue_number: 1 };
const comments = await octokit.paginate(rest.issues.listComments, { ...issue, per_page: 2 });
const { data: made } = await rest.issues.createComment({ ...issue, body: "report" });
await rest.issues.updateComment({ ...here, comment_id: made.id, body: "new report" });

const annotations = (count) =>
  Array.from({ length: count }, (_, index) => ({
    path: "us-prod/connections/crm.yaml",
    start_line: index + 1,
    end_line: index + 1,
    annotation_level: "warning",
    message: "SK0101",
  }));
const output = (count) => ({ title: "Plan", summary: "60 findings", annotations: annotations(count) });
const { data: check } = await rest.checks.create({ ...here, name: "plan", head_sha: "abc", output: output(50) });
await rest.checks.update({ ...here, check_run_id: check.id, conclusion: "failure", status: "completed", output: output(10) });
await rest.repos.createCommitStatus({ ...here, sha: "abc", state: "success", context: "stablekey" });
const { data: pull } = await rest.pulls.create({ ...here, head: "promote-1", base: "main", title: "Promote", body: "plan" });
await rest.pulls.update({ ...here, pull_number: pull.number, body: "a newer plan" });
await rest.pulls.list({ ...here, head: "acme:promote-1", state: "open" });

const runs = await rest.actions.listWorkflowRuns({ ...here, workflow_id: "snapshot.yml", branch: "main", status: "success" });
const run_id = runs.data.workflow_runs[0].id;
const artifacts = await rest.actions.listWorkflowRunArtifacts({ ...here, run_id, name: "snapshot" });
const artifact_id = artifacts.data.artifacts[0].id;
const archive = await rest.actions.downloadArtifact({ ...here, artifact_id, archive_format: "zip" });
const file = await rest.repos.getContent({ ...here, path: "tenants.yaml", ref: "main" });
const repository = await rest.repos.get(here);

const failure = async (request) => {
  try {
    await request;
  } catch (error) {
    return error;
  }
  throw new Error("it should have been refused");
};
const refused = await failure(client(process.env.READ_TOKEN).rest.issues.createComment({ ...issue, body: "x" }));
const limited = await failure(rest.issues.deleteComment({ ...here, comment_id: made.id }));

console.log(
  JSON.stringify({
    comments: comments.length,
    archive: Buffer.from(archive.data).toString("latin1").slice(0, 2),
    file: Buffer.from(file.data.content, "base64").toString(),
    visibility: repository.data.visibility,
    refused: refused.status,
    limited: limited.response.headers["retry-after"],
  }),
);
