/* fuzz_jinja.c - any text as a chat template: it is rendered or refused, and that is all.
 * Built and run with clang's libFuzzer by `make fuzz FUZZ_SECONDS=600`. */
#include <string.h>

#include "base/mem.h"
#include "data/jinja.h"

#define MAX_STEPS 20000

static json_t *conversation(void)
{
    return json_pack("[{ss ss} {ss ss ss s[{s{ss s{ss si sf sb sn}}}]} {ss s[{ss ss}]}]", "role", "user",
                     "content", " a\nb\xc3\xa9<think> ", "role", "assistant", "content", "x",
                     "reasoning_content", "y", "tool_calls", "function", "name", "f", "arguments",
                     "s", "t", "i", 1, "f", 1.5, "b", 1, "n", "role", "tool", "content", "type",
                     "text", "text", "z");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static json_t *messages, *tokens;
    struct err err = {0};
    struct jinja_output out = {0};
    if (!messages) {
        mem_init();
        messages = conversation();
        tokens = json_pack("{ss ss}", "bos_token", "<s>", "eos_token", "</s>");
    }
    struct jinja_input in = {.messages = messages,
                             .tools = messages,
                             .tokens = tokens,
                             .add_generation_prompt = true,
                             .now = 1,
                             .max_steps = MAX_STEPS};
    struct jinja *j = jinja_compile((const char *)data, n, "t", &err);
    int rc = j ? jinja_render(j, &in, &out, &err) : -1;
    /* A refusal has its reason, an output an origin for each byte. */
    if ((rc < 0) != err.set || (rc == 0 && out.text.len != out.origin.len))
        BUG("rc %d, '%s', %zu and %zu bytes", rc, err.text, out.text.len, out.origin.len);
    jinja_output_release(&out);
    jinja_free(j);
    return 0;
}
