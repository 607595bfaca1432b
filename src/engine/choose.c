/* choose.c: which kernel runs a node: the highest static score among those that support it, the reference
 * last. */
#include "engine/plan_internal.h"
#include <stdio.h>

enum { PREFERRED = 1000 }; /* more than any score */

void at__describe_problem(const at_plan *p, const at_node *n, at_problem *out)
{
    *out = (at_problem){.op = n->op,
                        .param = n->param,
                        .mode = p->graph->mode,
                        .isa = p->ctx->isa,
                        .threads = p->ctx->threads};
    for (int i = 0; i < n->n_in; i++) {
        if (!n->in[i]) continue;
        out->in[i] = n->in[i]->meta;
        out->in_dtype[i] = at__placed(p, n->in[i])->dtype;
        if (n->in[i]->state) out->storage[i] = n->in[i]->state->storage;
    }
    for (int i = 0; i < n->op->n_out + n->op->n_saved; i++) {
        out->out[i] = n->out[i]->meta;
        out->out_dtype[i] = at__placed(p, n->out[i])->dtype;
    }
}

/* "input" or "output" when one that is an activation, or may be, has other elements than the kernel's;
 * NULL = none has. */
static const char *other_elements(const at_kernel *k, const at_problem *problem)
{
    const at_dtype act = k->act == AT_BF16 ? AT_BF16 : AT_REAL;
    const at_op *op = k->op;
    for (int i = 0; i < op->n_in; i++) {
        const at_type type = problem->in[i].type;
        const bool counts = type == AT_ACT || (type == AT_ACC && op->any_in >> i & 1);
        if (problem->in[i].rank && counts && problem->in_dtype[i] != act) return "input";
    }
    for (int i = 0; i < op->n_out + op->n_saved; i++) {
        const at_type type = problem->out[i].type;
        const bool counts = type == AT_ACT || (type == AT_ACC && op->any_in);
        if (counts && problem->out_dtype[i] != act) return "output";
    }
    return NULL;
}

static bool is_supported(const at_plan *p, const at_kernel *k, const at_problem *problem,
                         char reason[AT_REASON])
{
    if (k->thread_dependent && p->options.deterministic) {
        snprintf(reason, AT_REASON, "its bits depend on the number of threads");
        return false;
    }
    if (k->isa > problem->isa) {
        snprintf(reason, AT_REASON, "needs %s", at_isa_name(k->isa));
        return false;
    }
    const char *operand = other_elements(k, problem);
    if (operand) {
        snprintf(reason, AT_REASON, "it is for %s, an %s is not", at_dtype_name(k->act), operand);
        return false;
    }
    return !k->supports || k->supports(problem, reason);
}

static int score_of(const at_kernel *k, const at_problem *problem)
{
    return k->score ? k->score(problem) : 10 * ((int)k->isa + 1);
}

/* "OP.avx2" and "OP.avx2_bf16" are of the variant "avx2". */
static bool is_variant(const at_kernel *k, const char *variant)
{
    const char *dot = strrchr(k->name, '.');
    const size_t n = strlen(variant);
    return dot && strncmp(dot + 1, variant, n) == 0 && (dot[1 + n] == '\0' || dot[1 + n] == '_');
}

/* What at_plan_options.kernels asks for. */
typedef struct policy {
    bool reference, strict;
    const char *only, *first; /* a variant; NULL = any; none comes first */
} policy;

static policy parse(const char *text)
{
    if (!text || strcmp(text, "auto") == 0) return (policy){0};
    if (strcmp(text, "ref") == 0) return (policy){.reference = true};
    if (strcmp(text, "strict") == 0) return (policy){.strict = true};
    if (strncmp(text, "auto+", 5) == 0) return (policy){.first = text + 5};
    return (policy){.only = text};
}

bool at_kernels_exist(const at_ctx *ctx, const char *text)
{
    const policy wanted = parse(text);
    const char *variant = wanted.only ? wanted.only : wanted.first;
    const at_kernel *k;
    int cursor = 0;
    while (variant && (k = at_registry_next(ctx, "kernel", &cursor)))
        if (is_variant(k, variant)) return true;
    return !variant;
}

/* Walk the candidates of an op, best first is not needed: the registry is small. text, when given, gets a
 * line each. */
static const at_kernel *best(const at_plan *p, const at_problem *problem, char *text, size_t size)
{
    const policy wanted = parse(p->options.kernels);
    const at_kernel *winner = NULL, *k;
    int winner_score = 0, cursor = 0;
    size_t used = 0;
    if (wanted.reference) return NULL;
    while ((k = at_registry_next(p->ctx, "kernel", &cursor))) {
        if (k->op != problem->op) continue;
        char reason[AT_REASON] = "";
        const bool ok = is_supported(p, k, problem, reason);
        const int extra = wanted.first && is_variant(k, wanted.first) ? PREFERRED : 0;
        const int score = ok ? score_of(k, problem) + extra : 0;
        if (text && used < size)
            used += (size_t)(ok ? snprintf(text + used, size - used, "%s: score %d\n", k->name, score)
                                : snprintf(text + used, size - used, "%s: refused, %s\n", k->name, reason));
        const bool eligible = ok && (!wanted.only || is_variant(k, wanted.only));
        if (eligible && score > winner_score) {
            winner = k;
            winner_score = score;
        }
    }
    return winner;
}

at_status at__choose_kernel(const at_plan *p, const at_node *n, const at_problem *problem,
                            const at_kernel **out)
{
    char text[512] = "", where[192];
    *out = best(p, problem, NULL, 0);
    if (*out) return AT_OK;
    best(p, problem, text, sizeof text);
    AT_REQUIRE(p->ctx, n->op->ref, AT_E_UNSUPPORTED, "%s: no kernel fits: %s", at_node_text(where, n), text);
    AT_REQUIRE(p->ctx, !parse(p->options.kernels).strict || n->op->updates, AT_E_UNSUPPORTED,
               "%s: only the reference can run this, and kernels=strict refuses it: %s",
               at_node_text(where, n), *text ? text : "no other kernel exists");
    return AT_OK;
}

void at_plan_explain(const at_plan *p, const at_node *n, char *text, size_t size)
{
    at_problem problem;
    at__describe_problem(p, n, &problem);
    if (size) *text = '\0';
    best(p, &problem, text, size);
}
