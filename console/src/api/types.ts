// The shapes of the API, by name. All come from the OpenAPI document (`npm run types`).
import type { components } from "./schema";

type Schemas = components["schemas"];

export type ApiKey = Schemas["APIToken"];
export type ApiKeyCreated = Schemas["APITokenCreated"];
export type AuditRecord = Schemas["AuditRecord"];
export type Commit = Schemas["CommitLog"];
export type Connector = Schemas["ConnectorInfo"];
export type Entry = Schemas["Entry"];
export type ImportJob = Schemas["ImportJob"];
export type ImportRequest = Schemas["StartImport"];
export type ListingEntry = Schemas["ListingEntry"];
export type Me = Schemas["Me"];
export type Membership = Schemas["Membership"];
export type Organization = Schemas["Organization"];
export type PlannedChange = Schemas["PlannedChange"];
export type Repository = Schemas["Repository"];
export type SourceMetadata = Schemas["SourceMetadata"];
export type User = Schemas["User"];

export type Paged<T> = {
  results: T[];
  pagination: { has_more: boolean; next_offset: string; max_per_page: number };
};
export type Results<T> = { results: T[] };
