/* tokenizer_gguf_internal.h - between tokenizer_gguf.c and tokenizer_gguf_read.c. */
#ifndef TP_DATA_TOKENIZER_GGUF_INTERNAL_H
#define TP_DATA_TOKENIZER_GGUF_INTERNAL_H

#include <stdbool.h>

enum { /* tokenizer.ggml.token_type */
    TOKEN_NORMAL = 1,
    TOKEN_UNKNOWN = 2,
    TOKEN_CONTROL = 3,
    TOKEN_USER_DEFINED = 4,
    TOKEN_UNUSED = 5
};
enum split { SPLIT_GPT2, SPLIT_SMOLLM, SPLIT_CL100K, SPLIT_CL100K_1DIGIT };

struct pre_name { /* tokenizer.ggml.pre */
    const char *name;
    enum split split;
    bool ignore_merges, nfc; /* nfc: what the models of that name do */
};
extern const struct pre_name pre_names[]; /* ends with name NULL */

#endif
