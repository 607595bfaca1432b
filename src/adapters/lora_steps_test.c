/* lora_steps_test.c: 20 AdamW steps with LoRA are those of PEFT: losses, norms, weights at the end; what is
 * frozen gets neither gradient nor memory. Goldens: golden.py. */
#include "adapters/peft.h"
#include "engine/fuse.h"
#include "ops/optim/adamw.h"
#include "ops/softmax_xent/softmax_xent.h"
#include "tests/harness/lorarig.h"
#include "tests/harness/report.h"
#include "tests/harness/test.h"
#include "tests/harness/tolerance.h"
#include <stdio.h>
#include <stdlib.h>

enum { STEPS = 20 };
static const double rate = 5e-3, decay = 0.01;
static const at_adamw_options adamw = {0.9, 0.999, 1e-5};

typedef struct training {
    at_loss loss;
    at_commit commit;
    at_value *fetch[2];
} training;

static void finish_training(at_lora_rig *t, training *c)
{
    at_store *s = t->net->store;
    c->loss = at_softmax_xent(t->g, t->output, t->labels, NULL, 0);
    at_gradients(t->g, &c->loss.sum, &(at_value *){NULL}, 1);
    at_graph_fuse(t->g, (at_value *const[]){t->output, c->loss.sum, c->loss.weight}, 3);
    at_step_sum(t->g, c->loss.sum);
    at_step_sum(t->g, c->loss.weight);
    at_expect_ok(t->ctx, at_graph_finish(t->g));
    at_expect_ok(t->ctx, at_store_layout(s, t->g));
    for (int i = 0; i < s->n_ranges; i++) s->ranges[i].decay = s->ranges[i].state->shape.rank > 1 ? decay : 0;
    at_expect_ok(t->ctx, at_build_commit(&c->commit, t->g, c->loss.sum, c->loss.weight, 0,
                                         &at_optimizer_adamw, &adamw));
    c->fetch[0] = c->commit.norm;
    c->fetch[1] = c->commit.ok;
    at_expect_ok(t->ctx,
                 at_plan_create(&t->plan, t->g, &(at_plan_options){.fetches = c->fetch, .n_fetches = 2}));
}

static void run_step(at_lora_rig *t, const training *c, at_real *loss, at_real *norm)
{
    const at_real r = (at_real)rate;
    const at_pass pass = {.extents = &t->n};
    at_real ok;
    at_lora_feed(t);
    at_plan_run(t->plan, &pass);
    at_plan_write(t->plan, c->commit.rate, &r, 1);
    at_plan_commit(t->plan, &pass);
    at_plan_fetch(t->plan, c->loss.sum, loss);
    at_plan_fetch(t->plan, c->commit.norm, norm);
    at_plan_fetch(t->plan, c->commit.ok, &ok);
    at_expect_ok(t->ctx, at_plan_sync(t->plan));
    assert_true(ok > 0);
    *loss /= (at_real)t->n;
}

/* "end.base_model.model.MODULE.lora_A.weight" for a state of an adapter, or of a module that is saved. */
static const at_tensor *golden_end(const at_lora_rig *t, const char *network, const at_param *p)
{
    char name[AT_PEFT_NAME], what[AT_PEFT_NAME + 8];
    const char *prefix = t->model ? at_model_prefix(t->model) : NULL;
    if (p->part == AT_ADAPTER)
        at_peft_name(name, p->site, prefix, p->state->name + strlen(p->site->name) + 1);
    else
        at_peft_param_name(name, p, prefix);
    snprintf(what, sizeof what, "end.%s", name);
    return at_lora_golden(t, network, what);
}

static void compare_end(at_lora_rig *t, const char *network, at_report *r)
{
    for (int i = 0; i < t->net->n_params; i++) {
        const at_param *p = t->net->params[i];
        if (!p->trainable) continue;
        at_real *got = malloc((size_t)p->state->count * sizeof *got),
                *want = at_lora_reals(t->ctx, golden_end(t, network, p));
        at_expect_ok(t->ctx, at_state_get(t->net->store, p->state, got));
        at_report_close_l2(r, p->state->name, got, want, p->state->count, AT_TOL_TRACE_WEIGHT);
        free(got), free(want);
    }
}

/* gradients of the last step that are zero throughout */
static int count_still(at_lora_rig *t, const char *part)
{
    int still = 0;
    const at_store *s = t->net->store;
    at_real *flat = malloc((size_t)s->gradient->count * sizeof *flat);
    at_expect_ok(t->ctx, at_state_get(t->net->store, s->gradient, flat));
    for (int i = 0; i < s->n_ranges; i++) {
        bool zero = true;
        for (int64_t k = s->ranges[i].lo; k < s->ranges[i].hi; k++) zero &= flat[k] == 0;
        still += zero && strstr(s->ranges[i].state->name, part);
    }
    free(flat);
    return still;
}

static void compare_trace(at_lora_rig *t, const char *network, at_report *r)
{
    at_real losses[STEPS], norms[STEPS];
    training c;
    finish_training(t, &c);
    for (int i = 0; i < STEPS; i++) {
        run_step(t, &c, &losses[i], &norms[i]);
        const bool starts = i == 0 && strcmp(network, "two_layer") == 0; /* with B = 0 */
        assert_int_equal(count_still(t, "lora_A"), starts ? 2 : 0);
        assert_int_equal(count_still(t, "lora_B"), 0);
    }
    at_report_at(r, "%s", network);
    at_real *loss = at_lora_reals(t->ctx, at_lora_golden(t, network, "loss")),
            *norm = at_lora_reals(t->ctx, at_lora_golden(t, network, "grad_norm"));
    at_report_close(r, "loss", losses, loss, STEPS, AT_TOL_TRACE_LOSS);
    at_report_close(r, "grad_norm", norms, norm, STEPS, AT_TOL_TRACE_WEIGHT);
    compare_end(t, network, r);
    free(loss), free(norm);
}

/* No gradient and no memory for the frozen weights: they stay in their file. */
static void expect_base_in_file(const at_lora_rig *t)
{
    for (int i = 0; i < t->net->n_params; i++) {
        const at_param *p = t->net->params[i];
        if (p->trainable || p->part == AT_NORM_BATCHES) continue;
        assert_true(p->state->host[0] && !p->state->owned && !p->state->gradient.data);
    }
}

AT_TEST(test_lora__20_adamw_steps_equal_peft)
{
    at_ctx *ctx = at_test_ctx();
    at_report r = {0};
    at_lora_rig t;
    at_lora_open_two_layer(&t, ctx);
    at_expect_ok(ctx, at_lora_hang_from(&t, AT_LORA_GOLDEN "two_layer"));
    at_lora_build_two_layer(&t, AT_TRAIN);
    compare_trace(&t, "two_layer", &r);
    at_lora_close(&t);
    at_lora_open_model(&t, ctx, AT_LORA_MOBILENET);
    at_expect_ok(ctx, at_lora_hang_from(&t, AT_LORA_GOLDEN "mobilenet"));
    t.model->head.site->part[AT_WEIGHT]->trainable = true;
    t.model->head.site->part[AT_BIAS]->trainable = true;
    at_lora_build_model(&t, AT_TRAIN);
    compare_trace(&t, "mobilenet", &r);
    expect_base_in_file(&t);
    at_lora_close(&t);
    at_expect_clean(&r);
    at_test_done(ctx);
}
