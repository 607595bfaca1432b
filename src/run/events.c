/* events.c: what a run reports: typed events, each with its JSON line. */
#include "formats/system.h"
#include "run/report.h"
#include "run/run.h"
#include <stdio.h>

void at__emit(at_run *r, at_event *e, at_text *json)
{
    e->json = json->data ? json->data : "{}";
    if (e->text) at__log_text(r, e->text);
    if (r->on_event) r->on_event(r->event_data, e);
    at_text_deinit(json);
}

at_status at__emit_both(at_run *r, at_event *e, at_text *text, at_text *json)
{
    const at_status s = at_text_status(text) == AT_OK ? at_text_status(json) : AT_E_NOMEM;
    e->text = text->data;
    if (s == AT_OK)
        at__emit(r, e, json);
    else
        at_text_deinit(json);
    at_text_deinit(text);
    return s;
}

void at__note(at_run *r, const char *fmt, ...)
{
    char text[768];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    at_event e = {.kind = AT_EVENT_NOTE, .text = text};
    at_text json;
    at_text_init(&json, r->ctx);
    at_text_add(&json, "{\"event\":\"note\",\"text\":");
    at_text_json(&json, text);
    at_text_add(&json, "}");
    at__emit(r, &e, &json);
}

/* ---- Plan ---- */

at_parameters at__count_parameters(const at_run *r)
{
    at_parameters c = {0};
    for (int i = 0; i < r->model->net.n_params; i++) {
        const at_param *p = r->model->net.params[i];
        const bool statistic =
            p->part == AT_NORM_MEAN || p->part == AT_NORM_VARIANCE || p->part == AT_NORM_BATCHES;
        if (!statistic) *(p->trainable ? &c.trainable : &c.frozen) += p->state->count;
    }
    return c;
}

static void add_steps(const at_run *r, at_text *t)
{
    char steps[AT_FIGURE];
    if (r->optimizer->solve) {
        at_text_printf(t, "solved to its optimum by %s\n", r->optimizer->name);
        return;
    }
    at_text_printf(t, "%s steps of %lld samples, %g epochs; %s, learning rate %g",
                   at__exact(steps, r->total_steps), (long long)r->batch_size,
                   at__epoch_of(r, r->total_steps), r->optimizer->name, r->settings.train.learning_rate);
    if (r->settings.train.head_learning_rate != r->settings.train.learning_rate)
        at_text_printf(t, " (head %g)", r->settings.train.head_learning_rate);
    at_text_printf(t, ", %s\n", r->schedule->name);
}

static void add_memory(const at_run *r, at_text *t, const at_memory *m)
{
    const double MiB = 1048576.0;
    const size_t weights = m->frozen + m->masters + m->running;
    const size_t other = m->inputs + m->statics + m->scratch + m->prepared;
    at_text_printf(
        t, "memory     %.1f MiB: weights %.1f, gradients %.1f, optimiser %.1f, activations %.1f, other %.1f",
        (double)(weights + m->gradients + m->slots + m->activations + other) / MiB, (double)weights / MiB,
        (double)m->gradients / MiB, (double)m->slots / MiB, (double)m->activations / MiB,
        (double)other / MiB);
    if (r->recomputed.n_nodes)
        at_text_printf(t, "; %.1f MiB of activations are recomputed: %.1f %% more work",
                       (double)r->recomputed.bytes / MiB,
                       100 * r->recomputed.added_flops / r->recomputed.flops);
    at_text_add(t, "\n");
}

/* "adapters   at 36 layers: 119,344 parameters" */
static void add_adapters(const at_run *r, at_text *t)
{
    const at_net *net = &r->model->net;
    char count[AT_FIGURE];
    int64_t parameters = 0;
    int layers = 0;
    for (int i = 0; i < net->n_params; i++)
        if (net->params[i]->part == AT_ADAPTER) parameters += net->params[i]->state->count;
    for (int i = 0; i < net->n_sites; i++) layers += net->sites[i]->intercepts != NULL;
    if (layers)
        at_text_printf(t, "adapters   at %d layer%s: %s parameters\n", layers, layers > 1 ? "s" : "",
                       at__exact(count, parameters));
}

static void plan_text(at_run *r, at_text *t, const at_parameters *c, const at_memory *m)
{
    char all[AT_FIGURE], trainable[AT_FIGURE], frozen[AT_FIGURE], samples[AT_FIGURE];
    at_text_printf(t, "model      %s: %s, %s parameters: %s learn, %s are frozen\n",
                   r->settings.general.model, r->model->architecture->name,
                   at__exact(all, c->trainable + c->frozen), at__exact(trainable, c->trainable),
                   at__exact(frozen, c->frozen));
    if (r->job.task->headless)
        at_text_printf(t, "task       %s\n", r->job.task->name);
    else
        at_text_printf(t, "task       %s, %d outputs; the head is %s\n", r->job.task->name, r->job.n_outputs,
                       r->model->head.is_new ? "new" : "the model's own");
    at_text_printf(t, "data       %s: %s train", r->settings.data.train, at__exact(samples, r->n_train));
    for (int s = AT_SPLIT_VALID; s < AT_SPLIT_COUNT; s++)
        if (r->job.split[s])
            at_text_printf(t, ", %s %s", at__exact(samples, r->job.split[s]->n), at_split_name((at_split)s));
    at_text_printf(t, "\nmethod     %s: ", r->method_name);
    add_steps(r, t);
    add_adapters(r, t);
    add_memory(r, t, m);
    if (r->features[AT_SPLIT_TRAIN]) at_text_add(t, "features   of the frozen layers are computed once\n");
    at_text_printf(t, "output     %s", r->folder);
}

static void plan_json(at_run *r, at_text *t, const at_parameters *c, const at_memory *m)
{
    at_text_add(t, "{\"event\":\"plan\",\"model\":");
    at_text_json(t, r->settings.general.model);
    at_text_printf(t, ",\"architecture\":\"%s\",\"task\":\"%s\",\"method\":", r->model->architecture->name,
                   r->job.task->name);
    at_text_json(t, r->method_name);
    at_text_add(t, ",\"samples\":{");
    for (int s = 0, first = 1; s < AT_SPLIT_COUNT; s++)
        if (r->job.split[s]) {
            at_text_printf(t, "%s\"%s\":%lld", first ? "" : ",", at_split_name((at_split)s),
                           (long long)r->job.split[s]->n);
            first = 0;
        }
    at_text_printf(t,
                   "},\"outputs\":%d,\"trainable_parameters\":%lld,\"frozen_parameters\":%lld,\"steps\":%lld,"
                   "\"batch_size\":%lld,\"micro_batch\":%lld,\"cached_features\":%s,",
                   r->job.n_outputs, (long long)c->trainable, (long long)c->frozen, (long long)r->total_steps,
                   (long long)r->batch_size, (long long)r->micro_batch,
                   r->features[AT_SPLIT_TRAIN] ? "true" : "false");
    at_text_printf(
        t,
        "\"memory_bytes\":{\"frozen\":%zu,\"masters\":%zu,\"gradients\":%zu,\"optimizer\":%zu,\"running\":%"
        "zu,"
        "\"activations\":%zu,\"inputs\":%zu,\"statics\":%zu,\"scratch\":%zu,\"prepared\":%zu},",
        m->frozen, m->masters, m->gradients, m->slots, m->running, m->activations, m->inputs, m->statics,
        m->scratch, m->prepared);
    at_text_printf(t, "\"recomputed_bytes\":%zu,\"added_work\":%.4f,\"output\":", r->recomputed.bytes,
                   r->recomputed.n_nodes ? r->recomputed.added_flops / r->recomputed.flops : 0.0);
    at_text_json(t, r->folder);
    at_text_add(t, "}");
}

at_status at__emit_plan(at_run *r)
{
    const at_parameters c = at__count_parameters(r);
    const at_memory m = at_plan_memory(r->train.plan);
    at_text text, json;
    at_text_init(&text, r->ctx);
    at_text_init(&json, r->ctx);
    plan_text(r, &text, &c, &m);
    plan_json(r, &json, &c, &m);
    at_event e = {.kind = AT_EVENT_PLAN, .steps = r->total_steps, .samples = r->n_train};
    const at_status s = at__emit_both(r, &e, &text, &json);
    for (const at_tree *t = r->job.notes->first; t && s == AT_OK; t = t->next) at__note(r, "%s", t->text);
    return s;
}

/* ---- Steps and scores ---- */

static double training_speed(const at_run *r)
{
    const double seconds = r->step_seconds + (r->step_began > 0 ? at_clock() - r->step_began : 0);
    return seconds > 0 ? (double)r->samples_in_steps / seconds : 0.0;
}

void at__emit_step(at_run *r, int64_t step, double loss, double norm, double rate)
{
    const double speed = training_speed(r);
    const int64_t steps = r->optimizer->solve ? 0 : r->total_steps; /* a solver knows no end */
    at_event e = {.kind = AT_EVENT_STEP,
                  .step = step,
                  .steps = steps,
                  .epoch = at__epoch_of(r, step),
                  .epochs = at__epoch_of(r, steps),
                  .loss = loss,
                  .grad_norm = norm,
                  .learning_rate = rate,
                  .samples_per_second = speed,
                  .split = "train"};
    if (speed > 0 && steps > 0) e.seconds_left = (double)(steps - step) * (double)r->batch_size / speed;
    at_text json;
    at_text_init(&json, r->ctx);
    at_text_printf(&json, "{\"event\":\"step\",\"step\":%lld,\"steps\":%lld,\"epoch\":", (long long)step,
                   (long long)steps);
    at_text_number(&json, e.epoch);
    at_text_add(&json, ",\"loss\":");
    at_text_number(&json, loss);
    at_text_add(&json, ",\"grad_norm\":");
    at_text_number(&json, norm);
    at_text_add(&json, ",\"learning_rate\":");
    at_text_number(&json, rate);
    at_text_add(&json, ",\"samples_per_second\":");
    at_text_number(&json, speed);
    at_text_add(&json, "}");
    at__emit(r, &e, &json);
}

/* "accuracy 81.7 % (95 %: 70.1 to 89.4 %), log loss 0.448"; n: samples, 0 = without the interval. */
static void scores_text(at_text *t, const at_scores *s, int64_t n)
{
    char name[AT_FIGURE], value[AT_FIGURE];
    for (int i = 0; i < s->n; i++) {
        const at_score_value *v = &s->list[i];
        at_text_printf(t, "%s%s %s", i ? ", " : "", at__metric_words(name, v->name),
                       at__score_text(value, v));
        if (!v->proportion || n == 0) continue;
        double low, high;
        at_wilson(v->value, n, &low, &high);
        at_text_printf(t, " (95 %%: %.1f to %.1f %%)", 100 * low, 100 * high);
    }
}

/* The same as lines, for who asked for nothing else. */
static void scores_table(at_text *t, const at_scores *s, const char *what, int64_t n)
{
    char name[AT_FIGURE], value[AT_FIGURE], count[AT_FIGURE];
    at_text_printf(t, "%s, %s samples", what, at__exact(count, n));
    for (int i = 0; i < s->n; i++) {
        const at_score_value *v = &s->list[i];
        at_text_printf(t, "\n  %-18s %8s", at__metric_words(name, v->name), at__score_text(value, v));
        if (!v->proportion) continue;
        double low, high;
        at_wilson(v->value, n, &low, &high);
        at_text_printf(t, "   95 %% interval %.1f to %.1f %%", 100 * low, 100 * high);
    }
}

static void scores_json(at_text *t, const at_scores *s)
{
    at_text_add(t, "{");
    for (int i = 0; i < s->n; i++) {
        at_text_printf(t, "%s\"%s\":", i ? "," : "", s->list[i].name);
        at_text_number(t, s->list[i].value);
    }
    at_text_add(t, "}");
}

void at__emit_scores(at_run *r, at_event_kind kind, at_split split, const at_scores *s)
{
    at_event e = {.kind = kind,
                  .split = at_split_name(split),
                  .step = r->progress.attempt,
                  .steps = r->total_steps,
                  .epoch = at__epoch_of(r, r->progress.attempt),
                  .epochs = at__epoch_of(r, r->total_steps),
                  .scores = s->list,
                  .n_scores = s->n,
                  .samples = r->job.split[split]->n};
    at_text text, json;
    at_text_init(&text, r->ctx);
    if (r->total_steps > 0) {
        at_text_printf(&text, "epoch %-4g %s: ", e.epoch, e.split);
        scores_text(&text, s, 0);
    } else {
        scores_table(&text, s, r->settings.data.test, e.samples);
    }
    e.text = text.data;
    at_text_init(&json, r->ctx);
    at_text_printf(&json, "{\"event\":\"evaluation\",\"split\":\"%s\",\"step\":%lld,\"epoch\":", e.split,
                   (long long)e.step);
    at_text_number(&json, e.epoch);
    at_text_add(&json, ",\"scores\":");
    scores_json(&json, s);
    at_text_add(&json, "}");
    at__emit(r, &e, &json);
    at_text_deinit(&text);
}

/* ---- The end ---- */

static void done_json(at_run *r, at_text *json, const at_scores *valid, const at_scores *test)
{
    at_text_add(json, "{\"event\":\"done\",\"run\":");
    at_text_json(json, r->folder);
    if (valid) at_text_add(json, ",\"valid\":");
    if (valid) scores_json(json, valid);
    if (test) at_text_add(json, ",\"test\":");
    if (test) scores_json(json, test);
    if (test) at_text_printf(json, ",\"test_samples\":%lld", (long long)r->job.split[AT_SPLIT_TEST]->n);
    if (r->merged.samples > 0) at_text_add(json, ",\"merge_difference\":");
    if (r->merged.samples > 0) at_text_number(json, r->merged.difference);
    at_text_printf(json, ",\"steps\":%lld", (long long)r->progress.attempt);
    if (r->progress.best.exists)
        at_text_printf(json, ",\"best_step\":%lld", (long long)r->progress.best.step);
    at_text_printf(
        json, ",\"trainable_parameters\":%lld,\"seconds\":", (long long)at__count_parameters(r).trainable);
    at_text_number(json, at_clock() - r->started);
    at_text_add(json, ",\"samples_per_second\":");
    at_text_number(json, training_speed(r));
    at_text_printf(json, ",\"peak_memory_bytes\":%lld,\"first_step_seconds\":", (long long)at_peak_memory());
    at_text_number(json, r->first_step_seconds);
    at_text_add(json, "}");
}

/* json_out receives a copy of the line: it is kept as result.json. */
at_status at__emit_done(at_run *r, const at_scores *valid, const at_scores *test, at_text *json_out)
{
    const at_scores *s = test ? test : valid;
    const at_split split = test ? AT_SPLIT_TEST : AT_SPLIT_VALID;
    at_event e = {.kind = AT_EVENT_DONE,
                  .step = r->progress.attempt,
                  .steps = r->total_steps,
                  .samples_per_second = training_speed(r),
                  .trainable_parameters = at__count_parameters(r).trainable};
    if (s) {
        e.split = at_split_name(split);
        e.scores = s->list;
        e.n_scores = s->n;
        e.samples = r->job.split[split]->n;
    }
    at_text text, json;
    char seconds[AT_FIGURE];
    at_text_init(&text, r->ctx);
    at_text_init(&json, r->ctx);
    if (s) at_text_printf(&text, "%-10s ", e.split);
    if (s) scores_text(&text, s, e.samples);
    at_text_printf(&text, "%sdone       in %s: %s/report.html", s ? "\n" : "",
                   at__seconds(seconds, at_clock() - r->started), r->folder);
    done_json(r, &json, valid, test);
    if (at_text_status(&json) == AT_OK) at_text_add(json_out, json.data);
    const at_status status = at__emit_both(r, &e, &text, &json);
    return status;
}
