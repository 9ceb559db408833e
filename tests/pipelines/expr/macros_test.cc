#include "tests/pipelines/expr/support.h"

namespace runnel {
namespace {

TEST(Macros, AskAboutItems) {
  ExpectAll({
      {"numbers.all(n, n > 0)", "true"},
      {"numbers.all(n, n > 1)", "false"},
      {"numbers.exists(n, n == 2)", "true"},
      {"numbers.exists(n, n > temp)", "false"},
      {"numbers.exists_one(n, n > 2)", "true"},
      {"numbers.existsOne(n, n > 1)", "false"},
      {"[].all(n, n > 0) && ![].exists(n, n > 0)", "true"},
      {"pos.all(k, k.size() == 3)", "true"},
      {"pos.exists(k, k == 'lat')", "true"},
      {"pos.exists(k, v, v == 52.5 && k == 'lat')", "true"},
      {"numbers.all(i, n, i < 3 && n < 4)", "true"},
      {"numbers.exists_one(i, n, i == 1 && n == 1)", "true"},
  });
}

TEST(Macros, AbsorbErrorsAsLogicDoes) {
  ExpectAll({
      {"mixed.exists(x, x > 2)", "true"},
      {"mixed.exists(x, x > 5)", "error: no_such_overload"},
      {"mixed.all(x, x > 1)", "false"},
      {"mixed.all(x, x > 0)", "error: no_such_overload"},
      {"mixed.exists_one(x, x > 2)", "error: no_such_overload"},
      {"numbers.all(n, n)", "error: no_such_overload"},
      {"count.all(n, true)", "error: no_such_overload"},
      {"nothing.exists(n, true)", "error: no_such_field"},
      {"numbers.map(n, 6 / (n - 1))", "error: divide_by_zero"},
      {"numbers.filter(n, nothing)", "error: no_such_field"},
      {"numbers.filter(n, n)", "error: no_such_overload"},
  });
}

TEST(Macros, MakeListsAndMaps) {
  ExpectAll({
      {"numbers.map(n, n * 2)", "[6,2,4]"},
      {"numbers.map(n, n > 1, n * count)", "[21,14]"},
      {"numbers.filter(n, n > 1)", "[3,2]"},
      {"pos.map(k, k)", "[\"lat\",\"a b\"]"},
      {"pos.filter(k, k != 'lat')", "[\"a b\"]"},
      {"numbers.transformList(i, n, i * 10 + n)", "[3,11,22]"},
      {"numbers.transformList(i, n, n > 1, i)", "[0,2]"},
      {"pos.transformList(k, v, v)", "[52.5,1]"},
      {"pos.transformMap(k, v, v + 1)", "{\"lat\":53.5,\"a b\":2}"},
      {"pos.transformMap(k, v, k == 'lat', v)", "{\"lat\":52.5}"},
      {"pos.transformMapEntry(k, v, {k + '!': v})", "{\"lat!\":52.5,\"a b!\":1}"},
      {"pos.transformMapEntry(k, v, {'same': v})", "error: duplicate_key"},
      {"pos.transformMapEntry(k, v, {})", "error: no_such_overload"},
      {"[[1, 2], [3]].map(row, row.map(x, x + count))", "[[8,9],[10]]"},
      {"[1, 2].map(x, [3, 4].map(y, x * y))", "[[3,4],[6,8]]"},
      {"[1, 2].map(x, [x].map(x, x * 10)[0] + x)", "[11,22]"},
      {"numbers.map(temp, temp + .temp)", "[24.5,22.5,23.5]"},
      {"cel.bind(x, count + 1, x * x)", "64"},
      {"cel.bind(x, nothing, ok || x)", "true"},
  });
}

TEST(Macros, SayWhatTheyNeed) {
  ExpectAll({
      {"numbers.all(n > 1)",
       "p.yaml:3:22: error: `all` takes the name of a variable first, found "
       "`n`\n  hint: it is called as `list.all(x, condition)`\n"},
      {"numbers.all(n, true, n)",
       "p.yaml:3:18: error: `all` has a wrong number of arguments\n"
       "  hint: it is called as `list.all(x, condition)`\n"},
      {"numbers.filter(n, 1)", "p.yaml:3:28: error: a condition takes bool, found int\n"},
      {"'a'.exists(n, true)", "p.yaml:3:10: error: a macro takes list or map, found string\n"},
      {"numbers.exist(n, true)",
       "p.yaml:3:18: error: there is no function `exist`\n"
       "  hint: did you mean `exists`?\n"},
      {"cel.bind(1, 2, 3)",
       "p.yaml:3:19: error: `cel.bind` takes the name of a variable first\n"
       "  hint: it is called as `cel.bind(x, value, body)`\n"},
  });
}

}  // namespace
}  // namespace runnel
