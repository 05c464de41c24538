// A CDS client made of @medplum/core: discovery, then one call for each question, its prefetch read by the library.
// Arguments: folder with node_modules, address of the CDS services, address of the FHIR server, file of questions
// (a list of {service, user, context}). Prints one JSON object: the services, and of each question request and answer.
globalThis.WebSocket ??= class {}; // the library wants one to be there; Node 20 has none
const { createRequire } = require("node:module");
const fs = require("node:fs");
const [folder, cds, fhir, questions] = process.argv.slice(2);
const { MedplumClient, buildCdsRequest } = createRequire(folder + "/")("@medplum/core");

async function main() {
  const client = new MedplumClient({ baseUrl: fhir, fhirUrlPath: "fhir", cdsServicesUrl: cds, fetch });
  const { services } = await client.getCdsServices();
  const asked = [];
  for (const { service, user, context } of JSON.parse(fs.readFileSync(questions, "utf8"))) {
    const definition = services.find((entry) => entry.id === service);
    const request = await buildCdsRequest(client, user, definition, context);
    asked.push({ request, answer: await client.callCdsService(service, request) });
  }
  process.stdout.write(JSON.stringify({ services, asked }));
}

main().catch((error) => {
  process.stderr.write(String(error.stack ?? error) + "\n");
  process.exit(1);
});
