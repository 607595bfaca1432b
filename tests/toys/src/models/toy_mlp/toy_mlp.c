/* toy_mlp: a regression network with two inputs and ragged rows: the mean over a sample's rows of relu(encode
 * x), plus the sum of the table rows that its codes name, then a linear map. "offsets" say which rows are
 * whose. */
#include "models/model.h"
#include "ops/add/add.h"
#include "ops/relu/relu.h"
#include "ops/toy_bag/toy_bag.h"
#include "ops/toy_segment/toy_segment.h"

typedef struct toy_mlp {
    at_site *encode, *table;
} toy_mlp;

static bool recognise(const at_tree *config, at_layout *layout)
{
    const at_tree *type = at_tree_get(config, "model_type");
    *layout = AT_LAYOUT_TRANSFORMERS;
    return type && type->kind == AT_STRING && strcmp(type->text, "toy_mlp") == 0;
}

static at_status open(at_model *m)
{
    toy_mlp *k = m->self;
    int64_t columns, hidden, vocabulary;
    AT_TRY(at_config_whole(m, &columns, "columns", 3, 1, 1 << 20));
    AT_TRY(at_config_whole(m, &hidden, "hidden", 8, 1, 1 << 20));
    AT_TRY(at_config_whole(m, &vocabulary, "vocabulary", 5, 1, 1 << 20));
    AT_TRY(at_net_group(&m->net, "below"));
    AT_TRY(at_net_linear(&k->encode, &m->net, "encode", "encode", columns, hidden, true));
    AT_TRY(at_net_linear(&k->table, &m->net, "table", "table", hidden, vocabulary, false));
    m->head.name = m->head.file = "value";
    m->head.features = hidden;
    return AT_OK;
}

static at_value *build(at_model *m, at_graph *g, const at_inputs *in)
{
    const toy_mlp *k = m->self;
    at_value *codes = at_inputs_get(g, in, "codes");
    at_value *rows = at_relu(g, at_site_linear(g, k->encode, at_inputs_get(g, in, "measures")));
    at_graph_site(g, "table");
    at_value *x = at_toy_segment(g, rows, at_inputs_get(g, in, "offsets"), codes);
    x = at_add(g, x, at_toy_bag(g, at_read(g, k->table->part[AT_WEIGHT]->state), codes).sum);
    return m->head.site ? at_site_linear(g, m->head.site, x) : x;
}

const at_architecture at_architecture_toy_mlp = {.name = "toy_mlp",
                                                 .doc = "a regression network on ragged rows and codes",
                                                 .family = "toy",
                                                 .prefix = "toy.",
                                                 .task_class = "ToyForRegression",
                                                 .size = sizeof(toy_mlp),
                                                 .recognise = recognise,
                                                 .open = open,
                                                 .build = build};
