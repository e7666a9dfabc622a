// Does with gitbeaker what reports on a merge request need, and prints what it got.
import { createRequire } from "node:module";

const { Gitlab } = createRequire(`${process.env.MODULES}/`)("@gitbeaker/rest");
const host = process.env.CI_SERVER_URL;
const gitlab = new Gitlab({ host, token: process.env.API_TOKEN });
const job = new Gitlab({ host, jobToken: process.env.JOB_TOKEN });
const project = "acme/connections";

const notes = await gitlab.MergeRequestNotes.all(project, 1, { perPage: 2, sort: "asc" });
const made = await gitlab.MergeRequestNotes.create(project, 1, "report");
await gitlab.MergeRequestNotes.edit(project, 1, made.id, { body: "new report" });
await gitlab.Commits.editStatus(project, "abc", "success", { name: "stablekey", description: "1 to update" });
const merge = await gitlab.MergeRequests.create(project, "promote-1", "main", "Promote", { description: "plan" });
await gitlab.MergeRequests.edit(project, merge.iid, { description: "a newer plan" });
const archive = await job.JobArtifacts.downloadArchive(project, { job: "snapshot", ref: "main" });
const shown = await gitlab.Projects.show(project);

let refused;
try {
  await job.MergeRequestNotes.create(project, 1, "x");
} catch (error) {
  refused = error.cause?.response?.status;
}
console.log(
  JSON.stringify({
    notes: notes.length,
    archive: (await archive.text()).slice(0, 2),
    visibility: shown.visibility,
    refused,
  }),
);
