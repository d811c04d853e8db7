// A recursive-descent reader of set formulas for tests; see FormulaText.h.
#include "FormulaText.h"
#include <cctype>
#include <cstdlib>
#include <iostream>

namespace sattn::test {
namespace {
struct Reader {
  const std::string &text;
  size_t at = 0;

  bool eat(const std::string &word) {
    while (at < text.size() && text[at] == ' ')
      ++at;
    if (text.compare(at, word.size(), word) != 0)
      return false;
    bool isWord = std::isalpha(static_cast<unsigned char>(word[0]));
    size_t end = at + word.size();
    if (isWord && end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_'))
      return false;
    at = end;
    return true;
  }
  static Formula make(Node::Kind kind, std::vector<Formula> kids) {
    return std::make_shared<Node>(Node{kind, 0, "", std::move(kids)});
  }
  Formula disjunction() {
    Formula f = conjunction();
    while (eat("or"))
      f = make(Node::Or, {f, conjunction()});
    return f;
  }
  Formula conjunction() {
    Formula f = negation();
    while (eat("and"))
      f = make(Node::And, {f, negation()});
    return f;
  }
  Formula negation() { return eat("not") ? make(Node::Not, {negation()}) : chain(); }
  Formula chain() {
    Formula left = sum(), all;
    while (true) {
      Node::Kind kind;
      bool swap = false;
      if (eat("<="))
        kind = Node::Le;
      else if (eat(">="))
        kind = Node::Le, swap = true;
      else if (eat("=="))
        kind = Node::Eq;
      else if (eat("<"))
        kind = Node::Lt;
      else if (eat(">"))
        kind = Node::Lt, swap = true;
      else
        return all ? all : left;
      Formula right = sum();
      Formula one = swap ? make(kind, {right, left}) : make(kind, {left, right});
      all = all ? make(Node::And, {all, one}) : one;
      left = right;
    }
  }
  Formula sum() {
    Formula f = product();
    while (true)
      if (eat("+"))
        f = make(Node::Add, {f, product()});
      else if (eat("-"))
        f = make(Node::Sub, {f, product()});
      else
        return f;
  }
  Formula product() {
    Formula f = primary();
    while (true)
      if (eat("*"))
        f = make(Node::Mul, {f, primary()});
      else if (eat("floordiv"))
        f = make(Node::FloorDiv, {f, primary()});
      else if (eat("mod"))
        f = make(Node::Mod, {f, primary()});
      else
        return f;
  }
  Formula primary() {
    if (eat("-"))
      return make(Node::Sub, {std::make_shared<Node>(Node{Node::Int, 0, "", {}}), primary()});
    if (eat("(")) {
      Formula f = disjunction();
      if (!eat(")"))
        fail();
      return f;
    }
    if (eat("all"))
      return make(Node::All, {});
    size_t from = at;
    while (at < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[at])) || text[at] == '_' || text[at] == '#'))
      ++at;
    std::string word = text.substr(from, at - from);
    if (word.empty())
      fail();
    if (std::isdigit(static_cast<unsigned char>(word[0])))
      return std::make_shared<Node>(Node{Node::Int, std::atoll(word.c_str()), "", {}});
    return std::make_shared<Node>(Node{Node::Name, 0, word, {}});
  }
  [[noreturn]] void fail() {
    std::cerr << "test formula '" << text << "' breaks at " << at << "\n";
    std::abort();
  }
};

int64_t floorDivide(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a % b < 0) != (b < 0)); }

struct Builder {
  using Dnf = std::vector<quasi::Set::Building>;
  quasi::Set set;
  const std::map<std::string, int64_t> &statics;
  const std::string &row, &key;

  std::optional<quasi::Form> form(const Formula &f) {
    auto kid = [&](int i) { return form(f->kids[i]); };
    switch (f->kind) {
    case Node::Int:
      return set.constant(f->value);
    case Node::Name: {
      if (f->name == row)
        return quasi::Set::variable(quasi::Var::row());
      if (f->name == key)
        return quasi::Set::variable(quasi::Var::key());
      if (auto it = statics.find(f->name); it != statics.end())
        return set.constant(it->second);
      auto kind = f->name[0] == '#'     ? quasi::SymbolInfo::Table
                  : f->name == "size_s" ? quasi::SymbolInfo::Size
                                        : quasi::SymbolInfo::Param;
      return quasi::Set::variable(set.symbol({f->name, kind}));
    }
    case Node::Add:
    case Node::Sub: {
      auto a = kid(0), b = kid(1);
      return a && b ? set.add(*a, *b, f->kind == Node::Add ? 1 : -1) : std::nullopt;
    }
    case Node::Mul: {
      auto a = kid(0), b = kid(1);
      return a && b ? set.multiply(*a, *b) : std::nullopt;
    }
    case Node::FloorDiv:
    case Node::Mod: {
      auto a = kid(0), b = kid(1);
      if (!a || !b || !b->isConstant())
        return std::nullopt;
      return f->kind == Node::FloorDiv ? set.floorDiv(*a, b->constant) : set.mod(*a, b->constant);
    }
    default:
      return std::nullopt;
    }
  }
  std::optional<Dnf> atom(quasi::Atom::Kind kind, const std::optional<quasi::Form> &f) {
    quasi::Set::Building one;
    if (!f || !set.addAtom(one, kind, *f))
      return std::nullopt;
    return Dnf{one};
  }
  std::optional<Dnf> dnf(const Formula &f, bool negate) {
    switch (f->kind) {
    case Node::All:
      return negate ? Dnf{} : Dnf{{}};
    case Node::Not:
      return dnf(f->kids[0], !negate);
    case Node::And:
    case Node::Or: {
      auto a = dnf(f->kids[0], negate), b = dnf(f->kids[1], negate);
      if (!a || !b)
        return std::nullopt;
      if ((f->kind == Node::Or) != negate) {
        a->insert(a->end(), b->begin(), b->end());
        return a;
      }
      Dnf both;
      for (auto &x : *a)
        for (auto &y : *b) {
          both.push_back(x);
          both.back().isFalse |= y.isFalse;
          for (auto &t : y.atoms)
            if (!set.addAtom(both.back(), t.kind, t.form))
              return std::nullopt;
        }
      return both;
    }
    default: {
      auto a = form(f->kids[0]), b = form(f->kids[1]);
      auto d = a && b ? set.add(*b, *a, -1) : std::nullopt; // right - left
      auto shifted = [&](int64_t sign, int64_t by) { return d ? set.add({{}, by}, *d, sign) : std::nullopt; };
      if (f->kind == Node::Le)
        return atom(quasi::Atom::GE, negate ? shifted(-1, -1) : d);
      if (f->kind == Node::Lt)
        return atom(quasi::Atom::GE, negate ? shifted(-1, 0) : shifted(1, -1));
      if (!negate)
        return atom(quasi::Atom::EQ, d);
      auto less = atom(quasi::Atom::GE, shifted(-1, -1)), more = atom(quasi::Atom::GE, shifted(1, -1));
      if (!less || !more)
        return std::nullopt;
      less->insert(less->end(), more->begin(), more->end());
      return less;
    }
    }
  }
};
} // namespace

Formula parseFormula(const std::string &text) {
  Reader reader{text};
  Formula f = reader.disjunction();
  if (reader.at != text.size())
    reader.fail();
  return f;
}

int64_t evaluate(const Formula &f, const std::map<std::string, int64_t> &env) {
  auto kid = [&](int i) { return evaluate(f->kids[i], env); };
  switch (f->kind) {
  case Node::Int:
    return f->value;
  case Node::Name:
    return env.at(f->name);
  case Node::Add:
    return kid(0) + kid(1);
  case Node::Sub:
    return kid(0) - kid(1);
  case Node::Mul:
    return kid(0) * kid(1);
  case Node::FloorDiv:
    return floorDivide(kid(0), kid(1));
  case Node::Mod:
    return kid(0) - floorDivide(kid(0), kid(1)) * kid(1);
  case Node::Le:
    return kid(0) <= kid(1);
  case Node::Lt:
    return kid(0) < kid(1);
  case Node::Eq:
    return kid(0) == kid(1);
  case Node::And:
    return kid(0) && kid(1);
  case Node::Or:
    return kid(0) || kid(1);
  case Node::Not:
    return !kid(0);
  case Node::All:
    return 1;
  }
  return 0;
}

std::optional<quasi::Set> toSet(const Formula &f, const std::map<std::string, int64_t> &statics, std::string &error,
                                const std::string &row, const std::string &key) {
  Builder builder{{}, statics, row, key};
  auto dnf = builder.dnf(f, false);
  bool fits = dnf.has_value();
  if (fits)
    for (auto &c : *dnf)
      fits = fits && builder.set.addDisjunct(c);
  if (fits)
    return builder.set;
  error = builder.set.error().str();
  return std::nullopt;
}

quasi::Set setOf(const std::string &text, const std::map<std::string, int64_t> &statics, const std::string &row,
                 const std::string &key) {
  std::string error;
  auto set = toSet(parseFormula(text), statics, error, row, key);
  if (!set) {
    std::cerr << "test set '" << text << "': " << error << "\n";
    std::abort();
  }
  return *set;
}

} // namespace sattn::test
