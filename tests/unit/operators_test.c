/* The operator table: sorted, so that it can be searched; every row has a rule or pins on purpose; versions
 * choose between rows. */
#include "analyze/rule.h"
#include "canonnx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define cnx_apply_pins NULL

static const struct row {
    const char *domain;
    const char *name;
    int32_t since;
    void (*rule)(cnx_rule *);
    const char *rule_name;
} rows[] = {
#define OP(domain_, name_, since_, rule_, scaling_, class_, commutative_)                                    \
    {domain_, name_, since_, cnx_apply_##rule_, #rule_},
#include "analyze/ops.def"
#undef OP
};

#define ROW_COUNT (sizeof rows / sizeof *rows)

static void test_sorted(void **state)
{
    (void)state;
    for (size_t i = 1; i < ROW_COUNT; i++) {
        const struct row *a = &rows[i - 1], *b = &rows[i];
        int domains = strcmp(a->domain, b->domain), names = strcmp(a->name, b->name);
        bool sorted = domains < 0 || (domains == 0 && (names < 0 || (names == 0 && a->since < b->since)));
        if (!sorted)
            fail_msg("%s %s %d comes before %s %s %d", a->domain, a->name, a->since, b->domain, b->name,
                     b->since);
    }
}

static void test_every_row_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct row *row = &rows[i];
        const cnx_operator *found = cnx_operator_find(row->domain, row->name, row->since);
        assert_non_null(found);
        assert_string_equal(found->rule_name, row->rule_name);
        assert_true(found->rule == row->rule);
        assert_true((row->rule == NULL) == (strcmp(row->rule_name, "pins") == 0));
        assert_true(row->since >= 1 && row->since <= 28);
    }
}

static void test_versions_choose(void **state)
{
    (void)state;
    assert_string_equal(cnx_operator_find("", "Add", 6)->rule_name, "old_elementwise");
    assert_string_equal(cnx_operator_find("", "Add", 7)->rule_name, "elementwise");
    assert_string_equal(cnx_operator_find("", "Add", 28)->rule_name, "elementwise");
    assert_string_equal(cnx_operator_find("", "GroupNormalization", 20)->rule_name, "group_normalization_18");
    assert_string_equal(cnx_operator_find("", "GroupNormalization", 0)->rule_name, "group_normalization");
    assert_null(cnx_operator_find("", "GroupNormalization", 17));
    assert_null(cnx_operator_find("", "NoSuchOperator", 0));
    assert_null(cnx_operator_find("com.microsoft", "Add", 0));
    assert_non_null(cnx_operator_find("", "LayerNormalization", 11));
}

static void test_listed_with_domains(void **state)
{
    (void)state;
    const cnx_list_row *list;
    assert_int_equal(cnx_operator_list(&list), ROW_COUNT);
    bool found = false;
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (strcmp(list[i].name, "com.microsoft.FusedConv") == 0) {
            found = true;
            assert_string_equal(list[i].detail, "fused_conv");
            assert_string_equal(list[i].summary, "convolution, since 1");
        }
    assert_true(found);
}

/* Every rule of rules.def is some row's, but for the one that the model's own functions have. */
static void test_every_rule_is_used(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*rule)(cnx_rule *);
    } rules[] = {
#define RULE(name_) {#name_, cnx_apply_##name_},
#include "analyze/rules.def"
#undef RULE
    };
    for (size_t r = 0; r < sizeof rules / sizeof *rules; r++) {
        bool used = rules[r].rule == cnx_apply_function;
        for (size_t i = 0; i < ROW_COUNT && !used; i++)
            used = rows[i].rule == rules[r].rule;
        if (!used)
            fail_msg("no row has the rule %s", rules[r].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sorted),
        cmocka_unit_test(test_every_row_is_found),
        cmocka_unit_test(test_versions_choose),
        cmocka_unit_test(test_listed_with_domains),
        cmocka_unit_test(test_every_rule_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
