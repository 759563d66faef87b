/* distill.c - asking a teacher: the loop from prompts to answered records. */
#include "gen/distill.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/tool.h"
#include "data/jsonl.h"
#include "data/response.h"
#include "gen/journal.h"

/* Finished answers that wait for an earlier one, beyond what is in flight; bounds memory. */
enum { HELD_PER_SLOT = 16 };

struct run {
    const struct distill_options *o;
    struct teacher teacher;
    struct jsonl_reader *reader;
    struct journal *journal;  /* or NULL */
    struct name_set ids;      /* of this run, to refuse doubles */
    struct record rec;        /* the current prompt; obj NULL = none */
    int64_t next_sample;
    struct task *first, **last;
    int64_t n_tasks, n_open;  /* in the list; of them not finished */
    bool ended;               /* no more prompts are taken */
    int64_t n_length, n_skipped;
};

/* Records. */

/* "ID#SAMPLE", ID the record's own id or its number in the input. */
static char *task_key(const json_t *obj, int64_t group, int64_t sample)
{
    const json_t *id = json_object_get(obj, "id");
    if (json_is_string(id))
        return xasprintf("s%s#%lld", json_string_value(id), (long long)sample);
    if (json_is_integer(id))
        return xasprintf("i%lld#%lld", (long long)json_integer_value(id), (long long)sample);
    return xasprintf("g%lld#%lld", (long long)group, (long long)sample);
}

static char *record_key(const json_t *record)
{
    const json_t *group = json_object_get(record, "group");
    const json_t *sample = json_object_get(record, "sample");
    if (!json_is_integer(group) || !json_is_integer(sample))
        return NULL;
    return task_key(record, json_integer_value(group), json_integer_value(sample));
}

json_t *distill_messages(const json_t *record)
{
    json_t *prompt = response_prompt(record);
    if (!json_is_string(prompt))
        return prompt;
    json_t *messages = json_pack("[{s:s,s:o}]", "role", "user", "content", prompt);
    return messages;
}

json_t *distill_usage(int64_t prompt, int64_t completion)
{
    return json_pack("{s:I,s:I,s:I}", "prompt_tokens", (json_int_t)prompt, "completion_tokens",
                     (json_int_t)completion, "total_tokens", (json_int_t)(prompt + completion));
}

/* The record's last message, with the answer that went on from it. */
static json_t *continued(const json_t *record, const char *completion, size_t n)
{
    const json_t *all = json_object_get(record, "messages");
    json_t *message = json_copy(json_array_get(all, json_array_size(all) - 1));
    const json_t *begun = json_object_get(message, "content");
    struct strbuf text = {0};
    strbuf_add(&text, json_string_value(begun), json_string_length(begun));
    strbuf_add(&text, completion, n);
    json_object_set_new(message, "content", json_stringn(text.buf, text.len));
    strbuf_release(&text);
    return message;
}

json_t *distill_record(const struct task *t, json_t *message, const char *completion, size_t n,
                       const char *finish_reason)
{
    json_t *out = json_copy((json_t *)(uintptr_t)t->obj), *messages = distill_messages(t->obj);
    if (messages && json_is_true(json_object_get(out, "continue_final_message"))) {
        json_decref(message);
        message = continued(t->obj, completion, n);
        json_object_del(out, "continue_final_message");
    }
    if (messages) {
        json_array_append_new(messages, message);
        json_object_set_new(out, "messages", messages);
    } else {
        json_decref(message); /* the prompt was token ids */
    }
    json_object_set_new(out, "completion", json_stringn(completion, n));
    json_object_set_new(out, "finish_reason", json_string(finish_reason));
    json_object_set_new(out, "group", json_integer(t->group));
    json_object_set_new(out, "sample", json_integer(t->sample));
    return out;
}

/* Taking prompts. */

static void task_free(struct task *t)
{
    json_decref(t->obj);
    json_decref(t->result);
    free(t);
}

static int reject(const struct task *t, struct err *why)
{
    struct strbuf raw = {0};
    json_write(&raw, t->obj);
    int rc = jsonl_bad_record(t->file, t->line, raw.buf, raw.len, why);
    strbuf_release(&raw);
    return rc;
}

/* Two records of one id could not be told apart in the journal. */
static int check_id(struct run *r, struct err *why)
{
    char *key = task_key(r->rec.obj, r->rec.index, 0);
    bool fresh = !r->journal || name_set_add(&r->ids, key);
    free(key);
    return fresh ? 0 : err_set(why, "another record before it has the same 'id'");
}

/* 1 = r->rec holds a prompt, 0 = no more. */
static int next_prompt(struct run *r, struct err *err)
{
    for (;;) {
        if (r->rec.obj && r->next_sample < r->o->samples)
            return 1;
        json_decref(r->rec.obj);
        r->rec.obj = NULL;
        r->next_sample = 0;
        int got = jsonl_reader_next(r->reader, &r->rec, err);
        if (got <= 0) {
            r->rec.obj = NULL;
            return got;
        }
        struct err why = {0};
        if (check_id(r, &why) == 0)
            return 1;
        if (jsonl_reader_reject(r->reader, &r->rec, &why) < 0) {
            *err = why;
            return -1;
        }
        json_decref(r->rec.obj);
        r->rec.obj = NULL;
    }
}

static bool already_done(struct run *r, int64_t sample)
{
    if (!r->journal)
        return false;
    char *key = task_key(r->rec.obj, r->rec.index, sample);
    bool done = journal_has(r->journal, key);
    free(key);
    r->n_skipped += done;
    return done;
}

/* Hands the teacher one more task.  0 = there is none left. */
static int take_one(struct run *r, struct err *err)
{
    int got = next_prompt(r, err);
    if (got <= 0)
        return got;
    int64_t sample = r->next_sample++;
    if (already_done(r, sample))
        return 1;
    struct task *t = xcalloc(1, sizeof *t);
    t->obj = json_incref(r->rec.obj);
    t->file = r->rec.file;
    t->line = r->rec.line;
    t->group = r->rec.index;
    t->sample = sample;
    struct err why = {0};
    if (r->teacher.submit(r->teacher.self, t, &why) < 0) {
        int rc = reject(t, &why);
        task_free(t);
        r->next_sample = r->o->samples; /* the other samples have the same prompt */
        if (rc < 0)
            *err = why;
        return rc < 0 ? -1 : 1;
    }
    *r->last = t;
    r->last = &t->next;
    r->n_tasks++;
    return 1;
}

static int64_t count_open(const struct run *r)
{
    int64_t n = 0;
    for (const struct task *t = r->first; t; t = t->next)
        n += !t->finished;
    return n;
}

static int take_prompts(struct run *r, struct err *err)
{
    int64_t room = r->teacher.capacity - r->n_open;
    int64_t held = HELD_PER_SLOT * r->teacher.capacity;
    while (!r->ended && room > 0 && r->n_tasks < held) {
        int64_t before = r->n_tasks;
        int got = take_one(r, err);
        if (got <= 0)
            r->ended = true;
        if (got < 0)
            return -1;
        room -= r->n_tasks - before;
        if (stop_requested())
            break;
    }
    return 0;
}

/* Writing answers. */

static int write_task(struct run *r, struct task *t, struct err *err)
{
    if (!t->result) {
        struct err why = t->why;
        if (reject(t, &why) == 0)
            return 0;
        *err = why;
        return -1;
    }
    const char *reason = json_string_value(json_object_get(t->result, "finish_reason"));
    r->n_length += reason && strcmp(reason, "length") == 0;
    if (!r->journal)
        return jsonl_print(t->result, err);
    tool_counts.out++;
    return journal_append(r->journal, t->result, err);
}

static void keep_first(struct err *err, const struct err *failed)
{
    if (failed->set && !err->set)
        *err = *failed;
}

/* Writes what is finished: up to the first task that is not, or all with any_order.  The tasks are
 * gone even if writing fails. */
static int write_finished(struct run *r, bool any_order, struct err *err)
{
    int rc = 0;
    for (struct task **at = &r->first; *at;) {
        struct task *t = *at;
        if (!t->finished) {
            if (!any_order)
                break;
            at = &t->next;
            continue;
        }
        *at = t->next;
        r->n_tasks--;
        struct err failed = {0};
        if (write_task(r, t, &failed) < 0) {
            rc = -1;
            keep_first(err, &failed);
        }
        task_free(t);
    }
    r->last = &r->first;
    while (*r->last)
        r->last = &(*r->last)->next;
    /* A reader at the other end of the pipe need not wait for a full buffer. */
    if (!r->journal && fflush(stdout) != 0 && rc == 0)
        rc = err_errno(err, "cannot write standard output");
    return rc;
}

static int stopped(struct run *r, struct err *err)
{
    if (!r->journal)
        return err_set(err, "stopped by a signal");
    err->status = EXIT_RESUMABLE;
    return err_set(err, "stopped by a signal; run the same command again to go on");
}

/* After a failure no prompt is taken any more, but answers on their way are paid for: they are
 * waited for, unless the teacher itself failed or the user is waiting. */
static int loop(struct run *r, struct err *err)
{
    int rc = 0;
    while (rc == 0 || (r->n_open > 0 && !stop_requested())) {
        struct err failed = {0};
        if (rc == 0 && take_prompts(r, &failed) < 0)
            rc = -1;
        r->n_open = count_open(r);
        if (r->n_tasks == 0 && r->ended) {
            keep_first(err, &failed);
            break;
        }
        if (stop_requested())
            rc = stopped(r, &failed);
        else if (r->n_open > 0 && r->teacher.work(r->teacher.self, &failed) < 0)
            rc = -2;
        r->n_open = count_open(r);
        if (write_finished(r, r->o->unordered || rc < 0, &failed) < 0 && rc == 0)
            rc = -1;
        keep_first(err, &failed);
        r->ended = r->ended || rc < 0;
        if (rc == -2)
            break;
        progress("answers", (long long)tool_counts.out, 0, "%lld in flight", (long long)r->n_open);
    }
    progress_end();
    return rc < 0 ? -1 : 0;
}

/* Starting and ending. */

static json_t *run_parameters(const struct distill_options *o)
{
    json_t *p = json_object();
    json_object_set_new(p, "program", json_string("distill-gen"));
    if (o->model)
        json_object_set_new(p, "model", json_string(o->model));
    if (o->endpoint)
        json_object_set_new(p, "endpoint", json_string(o->endpoint));
    if (o->endpoint_model)
        json_object_set_new(p, "endpoint_model", json_string(o->endpoint_model));
    if (o->model)
        json_object_set_new(p, "template", json_string(chat_template_names[o->tpl].name));
    json_object_set_new(p, "temperature", json_number(o->sampling.temperature));
    json_object_set_new(p, "top_p", json_number(o->sampling.top_p));
    json_object_set_new(p, "top_k", json_integer(o->sampling.top_k));
    json_object_set_new(p, "min_p", json_number(o->sampling.min_p));
    json_object_set_new(p, "max_tokens", json_integer(o->max_tokens));
    if (o->model || o->send_seed)
        json_object_set_new(p, "seed", json_integer((json_int_t)o->seed));
    return p;
}

static int open_run(struct run *r, const char **files, int n_files, struct err *err)
{
    const struct distill_options *o = r->o;
    if (o->out) {
        json_t *parameters = run_parameters(o);
        r->journal = journal_open(o->out, parameters, record_key, err);
        json_decref(parameters);
        if (!r->journal)
            return -1;
        if (journal_count(r->journal))
            log_info("%s holds %lld answers already", o->out, (long long)journal_count(r->journal));
    }
    if ((o->model ? teacher_open_local(&r->teacher, o, err)
                  : teacher_open_endpoint(&r->teacher, o, err)) < 0)
        return -1;
    r->reader = jsonl_reader_open(files, n_files, err);
    return r->reader ? 0 : -1;
}

int distill_run(const struct distill_options *o, const char **files, int n_files, struct err *err)
{
    struct run r = {.o = o};
    struct err late = {0};
    r.last = &r.first;
    stop_install();
    int rc = open_run(&r, files, n_files, err);
    if (rc == 0)
        rc = loop(&r, err);
    if (r.teacher.free)
        r.teacher.free(r.teacher.self);
    while (r.first) {
        struct task *t = r.first;
        r.first = t->next;
        task_free(t);
    }
    if (r.n_skipped)
        log_info("%lld were done before", (long long)r.n_skipped);
    if (r.n_length)
        log_info("%lld answers are cut off (finish_reason \"length\")", (long long)r.n_length);
    json_decref(r.rec.obj);
    jsonl_reader_close(r.reader);
    name_set_release(&r.ids);
    if (journal_close(r.journal, &late) < 0 && rc == 0) {
        *err = late;
        rc = -1;
    }
    return rc;
}
