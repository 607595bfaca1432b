/* api.c: the lists and the description of the machine that attune.h offers. */
#include "base/env.h"
#include "base/processors.h"
#include "formats/file.h"
#include "formats/system.h"
#include "run/recipe.h"
#include "run/run.h"
#include <stdio.h>

bool at_option_list(const at_ctx *ctx, int index, at_option_info *out)
{
    static const char *const types[] = {"flag", "whole number", "number", "text", "choice", "structure"};
    at_option_cursor c = {0};
    const at_option *o = NULL;
    char key[128];
    for (int i = 0; i <= index; i++)
        if (!(o = at_option_next(ctx, &c, key))) return false;
    *out = (at_option_info){.section = c.options->name,
                            .key = o->key,
                            .type = types[o->type],
                            .fallback = o->fallback,
                            .choices = o->choices,
                            .aliases = o->aliases,
                            .help = o->help,
                            .bare = !o->bare && o->type == AT_OPTION_FLAG ? "true" : o->bare,
                            .low = o->low,
                            .high = o->high};
    return true;
}

/* Descriptors begin with their name; those listed here have the doc line next. */
typedef struct named {
    const char *name, *doc;
} named;

bool at_kind_list(const at_ctx *ctx, const char *kind, int index, const char **name, const char **doc)
{
    static const char *const documented[] = {"op",      "architecture", "task",      "metric", "edit",
                                             "augment", "schedule",     "optimizer", "method", "adapter"};
    int cursor = 0;
    const named *item = NULL;
    for (int i = 0; i <= index; i++)
        if (!(item = at_registry_next(ctx, kind, &cursor))) return false;
    *name = item->name;
    *doc = NULL;
    for (int i = 0; i < AT_COUNT(documented); i++)
        if (strcmp(kind, documented[i]) == 0) *doc = item->doc;
    return true;
}

/* "model name : AMD EPYC" of /proc/cpuinfo. */
static void processor_name(at_ctx *ctx, char out[128])
{
    char *text;
    size_t size;
    snprintf(out, 128, "unknown");
    if (at_file_read(ctx, &text, &size, "/proc/cpuinfo", 16 << 20) != AT_OK) {
        at_clear_error(ctx);
        return;
    }
    const char *line = strstr(text, "model name"), *colon = line ? strchr(line, ':') : NULL;
    if (colon)
        snprintf(out, 128, "%.*s", (int)strcspn(colon + 1 + strspn(colon + 1, " "), "\n"),
                 colon + 1 + strspn(colon + 1, " "));
    at_free(ctx, text);
}

static const char *automatic_precision(const at_ctx *ctx)
{
    return at__native_precision(ctx) == AT_BF16 ? "bf16" : "f32";
}

static void environment_json(const at_ctx *ctx, at_text *t, const char *processor)
{
    const at_processors p = at_processors_read("");
    at_text_add(t, "{\"event\":\"environment\",\"version\":\"" AT_VERSION "\",\"processor\":");
    at_text_json(t, processor);
    at_text_printf(t, ",\"instruction_set\":\"%s\",\"instruction_set_used\":\"%s\"",
                   at_isa_name(at_isa_native()), at_isa_name(ctx->isa));
    at_text_printf(t, ",\"processors\":%d,\"cores\":%d,\"processor_quota\":", p.usable, p.cores);
    if (p.quota > 0)
        at_text_printf(t, "%.4g", p.quota);
    else
        at_text_add(t, "null");
    at_text_printf(t, ",\"threads\":%d,\"memory_bytes\":%lld,\"precision\":\"%s\",\"variables\":{",
                   ctx->threads, (long long)at_machine_memory(), automatic_precision(ctx));
    for (const at_env_variable *v = at_env_variables; v->name; v++) {
        const char *value = at_env_get(v->name);
        at_text_printf(t, "%s\"%s\":", v == at_env_variables ? "" : ",", v->name);
        if (value)
            at_text_json(t, value);
        else
            at_text_add(t, "null");
    }
    at_text_add(t, "}}");
}

static void environment_text(const at_ctx *ctx, at_text *t, const char *processor)
{
    const at_processors p = at_processors_read("");
    at_text_printf(t, "version       attune " AT_VERSION "\nprocessor     %s\n", processor);
    at_text_printf(t, "instructions  %s used, %s available\n", at_isa_name(ctx->isa),
                   at_isa_name(at_isa_native()));
    at_text_printf(t, "threads       %d, of at most %d cores (%d processors)", ctx->threads, p.cores,
                   p.usable);
    if (p.quota > 0) at_text_printf(t, " with the time of %.4g", p.quota);
    at_text_add(t, "\n");
    at_text_printf(t, "memory        %.1f GiB\nprecision     %s unless the recipe says otherwise\n",
                   (double)at_machine_memory() / 1073741824.0, automatic_precision(ctx));
    at_text_add(t, "\nenvironment variables that are read:");
    for (const at_env_variable *v = at_env_variables; v->name; v++) {
        const char *value = at_env_get(v->name);
        at_text_printf(t, "\n  %-15s %s%s%s", v->name, v->meaning, value ? "; now " : "; not set",
                       value ? value : "");
    }
}

at_status at_environment(at_ctx *ctx, at_event_fn on_event, void *data)
{
    at_text text, json;
    char processor[128];
    processor_name(ctx, processor);
    at_text_init(&text, ctx);
    at_text_init(&json, ctx);
    environment_text(ctx, &text, processor);
    environment_json(ctx, &json, processor);
    const at_status s = at_text_status(&text) == AT_OK ? at_text_status(&json) : AT_E_NOMEM;
    const at_event e = {.kind = AT_EVENT_PLAN, .text = text.data, .json = json.data};
    if (s == AT_OK && on_event) on_event(data, &e);
    at_text_deinit(&text);
    at_text_deinit(&json);
    return s;
}
