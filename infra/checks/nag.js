// Runs cdk-nag's AwsSolutions pack over synthesised templates and prints every finding as JSON.
// Usage: NODE_PATH=<node_modules> node nag.js <template>...
const path = require("path");
const { App, Stack, Aspects, LegacyStackSynthesizer } = require("aws-cdk-lib");
const { CfnInclude } = require("aws-cdk-lib/cloudformation-include");
const { AwsSolutionsChecks } = require("cdk-nag");

const findings = [];
const record = (kind) => (d) =>
  findings.push({ kind, rule: d.ruleId, finding: d.findingId || "", stack: d.resource.stack.node.id, resource: d.resource.node.id, type: d.resource.cfnResourceType, message: String(d.errorMessage || d.ruleInfo) });
const logger = {
  onCompliance() {},
  onNonCompliance: record("finding"),
  onSuppressed: record("suppressed"),
  onError: record("error"),
  onSuppressedError: record("suppressed"),
  onNotApplicable() {},
};

const app = new App({ analyticsReporting: false });
for (const file of process.argv.slice(2)) {
  const stack = new Stack(app, path.basename(file, ".template.json"), { synthesizer: new LegacyStackSynthesizer() });
  new CfnInclude(stack, "T", { templateFile: file });
}
Aspects.of(app).add(new AwsSolutionsChecks({ reports: false, logIgnores: false, additionalLoggers: [logger] }));
app.synth({ errorOnDuplicateSynth: false });
process.stdout.write(JSON.stringify(findings, null, 1));
