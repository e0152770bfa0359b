// The fields of each kind of connector, and the test that names the step that fails.
import { useEffect, useRef, useState } from "react";
import { ApiError } from "../api/client";
import type { ConnectorConfig } from "../api/endpoints";
import { AreaField, TextField } from "../components/Field";
import { Failure, useAction } from "../components/Note";

export type FieldSpec = {
  name: string;
  label: string;
  help: string;
  secret?: boolean;
  long?: boolean;
  optional?: boolean;
  placeholder?: string;
};
export type KindSpec = {
  kind: string;
  label: string;
  about: string;
  uri: string;
  uriHelp: string;
  fields: FieldSpec[];
};

export const KINDS: KindSpec[] = [
  {
    kind: "s3",
    label: "S3",
    about: "Amazon S3, and what speaks its protocol: MinIO, Ceph, R2, RustFS.",
    uri: "s3://my-bucket/datasets/",
    uriHelp: "Bucket and folder. Only what is below it can be imported.",
    fields: [
      {
        name: "access_key_id",
        label: "Access key id",
        help: "Of a user that may list the bucket and read its objects: s3:ListBucket and s3:GetObject are enough.",
        placeholder: "AKIA…",
      },
      {
        name: "secret_access_key",
        label: "Secret access key",
        help: "Sealed when it is stored, and never shown again.",
        secret: true,
      },
      {
        name: "region",
        label: "Region",
        help: "us-east-1 if empty. The test names the right one if this is not it.",
        optional: true,
        placeholder: "us-east-1",
      },
      {
        name: "endpoint",
        label: "Endpoint",
        help: "Empty for Amazon. Otherwise scheme, host and port, as the server reaches it.",
        optional: true,
        placeholder: "https://minio.example.com:9000",
      },
      {
        name: "session_token",
        label: "Session token",
        help: "Only for temporary credentials; imports fail once they expire.",
        secret: true,
        optional: true,
      },
    ],
  },
  {
    kind: "gcs",
    label: "Google Cloud Storage",
    about: "A bucket of Google Cloud, with the key of a service account.",
    uri: "gs://my-bucket/datasets/",
    uriHelp: "Bucket and folder. Only what is below it can be imported.",
    fields: [
      {
        name: "credentials_json",
        label: "Service account key",
        help: "The whole JSON file of a service account with the role Storage Object Viewer. Sealed when it is stored, and never shown again.",
        secret: true,
        long: true,
        placeholder: '{ "type": "service_account", … }',
      },
      {
        name: "project_id",
        label: "Project",
        help: "Only where the key's own project does not own the bucket.",
        optional: true,
      },
    ],
  },
];

export function kindSpec(kind: string): KindSpec | undefined {
  return KINDS.find((one) => one.kind === kind);
}

/** The config without the fields that are empty. */
export function trimmed(config: ConnectorConfig): ConnectorConfig {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => value.trim() !== ""));
}

export function ConfigFields({
  spec,
  config,
  onConfig,
}: {
  spec: KindSpec;
  config: ConnectorConfig;
  onConfig: (config: ConnectorConfig) => void;
}) {
  return spec.fields.map((field) => {
    const { name, label, help, placeholder } = field;
    const props = {
      label,
      help,
      placeholder,
      mono: true,
      optional: field.optional ?? false,
      value: config[name] ?? "",
      onValue: (value: string) => onConfig({ ...config, [name]: value }),
    };
    if (field.long) return <AreaField key={`${spec.kind} ${name}`} {...props} />;
    return (
      <TextField
        key={`${spec.kind} ${name}`}
        {...props}
        type={field.secret ? "password" : "text"}
        autoComplete={field.secret ? "new-password" : "off"}
      />
    );
  });
}

const STEPS = ["reach", "authenticate", "list", "read"] as const;
const STEP_WORDS: Record<(typeof STEPS)[number], string> = {
  reach: "Reach the server",
  authenticate: "Authenticate",
  list: "List the prefix",
  read: "Read one object",
};

/** The step that failed and why, in the words of the API: `step list failed: …`. */
export function failedStep(error: unknown): { step: string; reason: string } | undefined {
  if (!(error instanceof ApiError) || error.status !== 502) return undefined;
  const found = /^step (\w+) failed: ([\s\S]*)$/i.exec(error.message);
  return found ? { step: found[1]?.toLowerCase() ?? "", reason: found[2] ?? "" } : undefined;
}

/** The state of a test of a connection, and a button that begins one. */
export function useTest(work: () => Promise<unknown>) {
  const [passed, setPassed] = useState(false);
  const action = useAction(async () => {
    setPassed(false);
    await work();
    setPassed(true);
  });
  return { ...action, passed, forget: () => setPassed(false) };
}

export function TestResult({ test }: { test: ReturnType<typeof useTest> }) {
  const box = useRef<HTMLDivElement>(null);
  const over = test.passed || test.error !== undefined;
  useEffect(() => {
    if (over) box.current?.scrollIntoView({ block: "nearest" });
  }, [over]);
  if (!test.busy && !test.passed && !test.error) return null;
  const failed = failedStep(test.error);
  if (test.error && !failed)
    return <Failure error={test.error} title="The connection could not be tested" />;
  const at = failed ? STEPS.indexOf(failed.step as (typeof STEPS)[number]) : -1;
  const state = (index: number) => {
    if (test.passed || (failed && index < at))
      return { tone: "step-good", mark: "✓", word: "done" };
    if (failed && index === at) return { tone: "step-bad", mark: "✕", word: "failed" };
    return {
      tone: "step-none",
      mark: test.busy ? "…" : "·",
      word: test.busy ? "testing" : "not tried",
    };
  };
  return (
    <div className="section" role="status" ref={box}>
      <div className="steps">
        {STEPS.map((step, index) => {
          const { tone, mark, word } = state(index);
          return (
            <div key={step} className={`step ${tone}`}>
              <span aria-hidden="true">{mark}</span> {STEP_WORDS[step]}
              <span className="unseen"> {word}</span>
            </div>
          );
        })}
      </div>
      {failed && (
        <Failure
          error={failed.reason.charAt(0).toUpperCase() + failed.reason.slice(1)}
          title={`${STEP_WORDS[failed.step as (typeof STEPS)[number]] ?? failed.step}: failed`}
        />
      )}
    </div>
  );
}
