# tests.py - the process of the tests: runs them against the solution in the other process, and says
# on its standard output which of them hold.  Follows peer.py in one file.
#
# The file "tests" has sections, each a line with its length and then so many bytes: the name of the
# function that is asked for (or nothing), set-up code, the prompt (code that the solution completes,
# or prose), then the tests.


def sections():
    with open("tests", "rb") as f:
        data = f.read()
    found, at = [], 0
    while at < len(data):
        end = data.index(b"\n", at)
        n = int(data[at:end])
        found.append(data[end + 1:end + 1 + n].decode("utf-8", "surrogatepass"))
        at = end + 1 + n
    return found


def answer(peer, what, x=None, *more):
    """What the solution may ask: to call a function that a test gave it, and to step through an
    iterator.  Nothing from which it could find its way to the tests."""
    if what == "call" and callable(x) and any(x is y for y in peer.exported.values()):
        return peer.called(x, *more)
    if what == "iterate" and hasattr(x, "__next__"):
        return x
    if what == "next" and hasattr(x, "__next__"):
        for value in x:
            return (value,)
        return ()
    raise TypeError("this belongs to the tests")


class Names(dict):
    """The names of the tests.  What they do not define themselves is taken from the prompt, else from
    the solution: the function that is asked for if one is named, else anything that Python itself
    has not.  A solution's own `len` or `math` must not decide what the tests find."""

    def __missing__(self, name):
        if name == entry or name in offered and len(wanted) == 1 and name in wanted:
            return peer.ask("global", name)
        if name in vars(builtins):
            raise KeyError(name)
        if prompt:
            run_prompt()
            return self[name]
        if name in sys.stdlib_module_names:  # a reference solution imported it
            return __import__(name)
        if entry or name not in offered:
            raise KeyError(name)
        return peer.ask("global", name)


def run_prompt():
    """Code that the solution completes may define what the tests use."""
    global prompt
    text, prompt = prompt, ""
    try:
        exec(compile(text, "prompt", "exec"), names)
    except Exception:
        pass  # prose
    names.pop(entry, None)  # the stub


def names_in(code):
    found = set(code.co_names)
    for constant in code.co_consts:
        if type(constant) is type(code):
            found |= names_in(constant)
    return found


def report(line):
    write_bytes(out, line.encode("utf-8", "replace") + b"\n")


def describe(e):
    text = peer.text_of(e)
    return (type(e).__name__ + (": " + text if text else "")).replace("\n", " ")[:500]


def give_up(status, e):
    report(status + " " + describe(e))
    posix._exit(0)


def run_test(code):
    try:
        exec(code, names)
        if "check" in names and entry:
            check = names.pop("check")
            check(peer.ask("global", entry))
        report("pass")
        return
    except BaseException as e:
        failure = describe(e)
    report("fail " + failure)


def main():
    global entry, prompt, offered, wanted
    entry, setup, prompt, *tests = sections()
    try:
        setup, *codes = [compile(text, "tests", "exec") for text in [setup] + tests]
    except (SyntaxError, ValueError) as e:
        give_up("bad-tests", e)
    try:
        offered = set(peer.ask("load"))
        wanted = offered & set().union(*[names_in(code) for code in codes])
        exec(setup, names)
    except BaseException as e:
        give_up("not-loaded", e)
    for code in codes:
        run_test(code)
    report("end")
    posix._exit(0)


posix = sys.modules["posix"]
out = posix.dup(1)
posix.dup2(posix.open("/dev/null", 2), 1)
peer = Peer(answer, False)
names = Names({"__name__": "tests", "__builtins__": builtins})
entry = prompt = ""
offered, wanted = set(), set()
main()
