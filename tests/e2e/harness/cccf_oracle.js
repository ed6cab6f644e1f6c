// What the published packages of the cccf family say, for tests that hold shoal's answers against
// theirs: a request a line on stdin, {"op":..,"input":..}, and an answer a line on stdout, {"ok":..}
// or {"error":..} with the trace of cccf's validation. Started with NODE_PATH on their folder.
const readline = require('readline')
const cccf = require('cccf')
const scale = require('cccf-scale')
const diff = require('cccf-diff')
const instructions = require('cccf-docker-instructions')

const tools = {
  validate: input => cccf.validate(JSON.stringify(input)) && true,
  validate_text: input => cccf.validate(input) && true,
  scale: input => scale.up(input),
  unscale: input => scale.down(input),
  diff: input => diff(input.current, input.wanted),
  random: input => cccf.random(input),
}
for (const verb of ['run', 'start', 'stop', 'kill', 'rm']) {
  tools[verb] = input => instructions[verb](input.document, input.options)
}

readline.createInterface({ input: process.stdin }).on('line', line => {
  const request = JSON.parse(line)
  let answer
  try {
    answer = { ok: tools[request.op](request.input) }
  } catch (error) {
    answer = { error: String(error.message), trace: error.trace }
  }
  process.stdout.write(JSON.stringify(answer) + '\n')
})
