"""Where releases of ansible-core differ, or may come to differ.

All that reaches into Ansible further than it documents is here, or wraps a
method that all releases have. Seen to work from 2.14 to 2.21.
"""

import ast
import atexit
import collections
import contextlib
import importlib
import os
import random
import sys

# What a playbook run imports sooner or later, beside the plugins themselves;
# names that a release does not have are passed over.
MODULES = (
    "ansible.cli.playbook",
    "ansible.executor.playbook_executor",
    "ansible.executor.task_queue_manager",
    "ansible.executor.play_iterator",
    "ansible.executor.process.worker",
    "ansible.executor.task_executor",
    "ansible.executor.module_common",
    "ansible.executor.interpreter_discovery",
    "ansible.modules",
    "ansible.plugins.inventory",
    "ansible.plugins.loader",
    "ansible.parsing.yaml.dumper",
    "ansible.template",
    "jinja2.ext",
    "smtplib",
    # What connection plugins import, all of which every run loads.
    "paramiko",
    "pypsrp.powershell",
    "requests",
    "winrm.exceptions",
    "winrm.protocol",
    "xmltodict",
)


def import_everything():
    """Imports what a run needs, but no plugin. Ansible takes one that is imported
    for whichever it has found under that name, so a user's own
    ``action_plugins/debug.py`` would be passed over."""
    importlib.import_module(MODULES[0])
    with no_inventory_cache():
        for name in MODULES[1:]:
            try:
                importlib.import_module(name)
            except ImportError:
                continue


@contextlib.contextmanager
def no_inventory_cache():
    """Lets the cache of inventory plugins not be made at their import: it is a
    plugin, perhaps a user's own."""
    from ansible.plugins import cache

    if not hasattr(cache, "CachePluginAdjudicator"):
        yield
        return
    made = cache.CachePluginAdjudicator.__init__
    cache.CachePluginAdjudicator.__init__ = lambda self: None
    try:
        yield
    finally:
        cache.CachePluginAdjudicator.__init__ = made


def make_inventory_cache():
    """Makes it where a run by hand would, before 2.19: there, inventory plugins
    share one from their import on."""
    from ansible.plugins import inventory

    if release() < (2, 19):
        inventory.Cacheable._cache = inventory.CacheObject()


@contextlib.contextmanager
def nothing_displayed():
    """Lets Ansible display nothing, and remember nothing of it.

    :returns: what it would have
    """
    from ansible.utils.display import Display

    heard = []
    display = Display()
    known = {name: value.copy() for name, value in vars(display).items()
             if isinstance(value, (dict, set))}
    shown = Display.display
    Display.display = lambda self, msg, *args, **kwargs: heard.append(msg)
    try:
        yield heard
    finally:
        Display.display = shown
        vars(display).update(known)


def is_plugin(name):
    """Whether something of that name was imported, and is a plugin."""
    return (name.startswith("ansible.plugins.") and name.count(".") > 2
            and name in sys.modules
            and not hasattr(sys.modules[name], "__path__"))


def is_debugged():
    """Whether Ansible says each of its steps."""
    from ansible import constants

    return bool(constants.DEFAULT_DEBUG)


def own_loader(loader):
    """A plugin loader of the same kind that knows Ansible's own plugins only,
    and shares nothing that it learns."""
    own = object.__new__(type(loader))
    own.__dict__.update(loader.__dict__)
    own.config = []
    own._extra_dirs = []
    own._module_cache = {}
    own._paths = None
    own._plugin_path_cache = collections.defaultdict(dict)
    own._searched_paths = set()
    for name in ("_plugin_instance_cache", "_cached_non_collection_wrappers"):
        if getattr(loader, name, None) is not None:
            setattr(own, name, {})
    return own


def module_asked_for(loader, name=None, path=None, python_module_name=None):
    """Arguments of ``PluginLoader._load_module_source``.

    :returns: the name of the module, and the path of its file
    """
    if python_module_name is not None:
        return python_module_name, path
    # Before 2.19.
    if not name.startswith("ansible_collections."):
        name = "%s.%s" % (loader.package, name)
    return name, path


def found_files(loader, context, names):
    """Lets a loader know the files in a directory, as if it had looked there.

    :param context: the directory, as it is in the loader's search path
    """
    from ansible import constants
    from ansible.plugins.loader import PluginPathContext

    cache = loader._plugin_path_cache
    ignored = ("__init__.py", *constants.MODULE_IGNORE_EXTS)
    for name in names:
        if name.endswith(ignored):
            continue
        base, extension = os.path.splitext(name)
        found = PluginPathContext(
            os.path.join(context.path, name), context.internal)
        for kind in ("", extension):
            for key in (base, name):
                cache[kind].setdefault(key, found)
    loader._searched_paths.add(context.path)


def type_with_options(loader):
    """The type of a loader's plugins, if they can have options."""
    from ansible import constants
    from ansible.plugins import get_plugin_class

    kind = loader.class_name and get_plugin_class(loader.class_name)
    return kind if kind in constants.CONFIGURABLE_PLUGINS else None


def give_options(kind, name, options):
    """Puts a plugin's options, which may be None, where Ansible keeps them."""
    from ansible import constants

    config = constants.config
    if options is not None and not config.has_configuration_definition(kind, name):
        config.initialize_plugin_configuration_definitions(kind, name, options)


def take_options(loader, name, load):
    """Has a plugin's options loaded, and takes them from where Ansible keeps
    them.

    :returns: its type, None if it cannot have any, or had them before; and the
        options, None if there are none
    """
    from ansible import constants

    config = constants.config
    kind = type_with_options(loader)
    if kind is None or config.has_configuration_definition(kind, name):
        return None, None
    load()
    return kind, config._plugins.get(kind, {}).pop(name, None)


def ask_ssh():
    """Whether ssh has ControlPersist, as Ansible asks it."""
    from ansible.utils import ssh_functions

    answer = ssh_functions.check_for_controlpersist("ssh")
    ssh_functions._HAS_CONTROLPERSIST.clear()
    return answer


def know_ssh(answer):
    """Lets Ansible not ask."""
    from ansible.utils import ssh_functions

    ssh_functions._HAS_CONTROLPERSIST["ssh"] = answer


def routing_file():
    """The file with what Ansible says of the names of its own plugins; some
    releases have read it before a run begins."""
    return os.path.join(os.path.dirname(sys.modules["ansible"].__file__),
                        "config", "ansible_builtin_runtime.yml")


def keep_routing():
    """Parses what Ansible says of the names of its own plugins: which have
    moved, and which are deprecated. Who reads the same text takes that. 2.14 has
    done so at import, for all runs."""
    if "ansible_collections.ansible.builtin" in sys.modules:
        return
    from ansible.utils.collection_loader import _collection_finder as finder

    parse = finder._meta_yml_to_dict
    try:
        with open(routing_file(), "rb") as file:
            text = file.read()
    except OSError:
        return
    routing = parse(text, ("ansible.builtin", "runtime.yml"))

    def kept_or_parsed(given, content_id):
        return routing if given == text else parse(given, content_id)

    finder._meta_yml_to_dict = kept_or_parsed


def find_imports(name, is_package, source):
    """What a module imports that has to go with it.

    :param source: its source, in bytes
    :returns: the names, as tuples, and those that it can do without; None if it
        needs more than modules
    """
    from ansible.executor import module_common

    if release() < (2, 21):
        source = compile(source, "<unknown>", "exec", ast.PyCF_ONLY_AST)
    found = module_common.ModuleDepFinder(name, source, is_package)
    if getattr(found, "embeds", None):
        return None
    return tuple(found.submodules), tuple(found.optional_imports)


class Unparsed:
    """Stands in for the parsed source of a module whose imports are known."""

    def __init__(self, source, parse):
        self.source = source
        self.parse = parse


def give_imports(is_known, imports_of):
    """Lets Ansible take what is known of the imports of its module utilities.

    :param is_known: tells whether a source was parsed before
    :param imports_of: gives the imports of a module by its name, whether it is a
        package, and its source
    """
    from ansible.executor import module_common

    find = module_common.ModuleDepFinder.__init__

    def find_if_unknown(self, name, source, is_pkg_init=False):
        parse = None
        if isinstance(source, Unparsed):
            source, parse = source.source, source.parse
        imports = imports_of(name, is_pkg_init, source)
        if imports is None:
            find(self, name, parse() if parse else source, is_pkg_init)
            return
        self.submodules, self.optional_imports = imports
        # From 2.21 on.
        self.embeds = set()

    def put_off(parse, source, *args):
        if is_known(source):
            return Unparsed(source, lambda: parse(source, *args))
        return parse(source, *args)

    module_common.ModuleDepFinder.__init__ = find_if_unknown
    # Until 2.20 the source is parsed first, by a function of its own from 2.19
    # on; from 2.21 on the finder does it.
    if release() < (2, 19):
        module_common.compile = lambda *args: put_off(compile, *args)
    elif release() < (2, 21):
        parse_named = module_common._compile_module_ast
        module_common._compile_module_ast = lambda name, source: put_off(
            lambda given: parse_named(name, given), source)


def ansible_version():
    from ansible.release import __version__

    return __version__


def release():
    """The release as numbers that can be compared, such as ``(2, 14)``."""
    return tuple(int(part) for part in ansible_version().split(".")[:2])


def configuration_files():
    """The files where Ansible looks for its configuration. Only the first of
    these counts, but that may come to be another one."""
    return (
        os.environ.get("ANSIBLE_CONFIG", ""),
        os.path.join(os.environ.get("ANSIBLE_CONFIG", ""), "ansible.cfg"),
        os.path.abspath("ansible.cfg"),
        os.path.expanduser("~/.ansible.cfg"),
        "/etc/ansible/ansible.cfg",
    )


def plugin_filters():
    """The file with the plugins that are turned off, read at import."""
    from ansible import constants

    return (getattr(constants, "PLUGIN_FILTERS_CFG", None)
            or "/etc/ansible/plugin_filters.yml")


def collection_paths():
    """Where collections may be. Those that are no directories are forgotten, in
    2.14 at import."""
    from ansible import constants

    return [os.path.join(os.path.expanduser(path), "ansible_collections")
            for path in (*constants.COLLECTIONS_PATHS, *sys.path)]


def log_path():
    """Ansible's log, opened at import; None for none."""
    from ansible import constants

    return constants.DEFAULT_LOG_PATH


def parts_of(result):
    """The host, the play task and the values of a result.

    Before 2.19 they had private names only, which 2.23 is to deprecate.
    """
    if hasattr(result, "host"):
        return result.host, result.task, result.result
    return result._host, result._task, result._result


def says_little(message):
    """Whether a failure's message needs what the program has printed with it."""
    # 2.20 has made a sentence of it.
    return "non-zero return code" in message or message.startswith(
        "MODULE FAILURE")


def executor_parts(executor):
    """Inventory and variable manager of a PlaybookExecutor."""
    return executor._inventory, executor._variable_manager


def iterator_parts(iterator):
    """What stands before a play's tasks, its tasks, the names of its hosts, and
    who knows their facts.

    :returns: a block, a list of blocks, a list of names, a variable manager
    """
    return (iterator._blocks[0], iterator._blocks[1:],
            list(iterator.host_states), iterator._variable_manager)


def sentinels(strategy):
    """A file descriptor for each of a strategy's workers that runs, which can be
    read when it has ended."""
    return [worker.sentinel for worker in strategy._workers
            if worker is not None and worker.is_alive()]


def wake_with(strategy, results, wake):
    """Has a new strategy's waits ended by what it waits for.

    :param results: makes the queue of its results
    :param wake: is called for what else it is asked, from 2.21 on
    """
    strategy._results = results()
    asked = getattr(strategy, "_rpc_queue", None)
    if asked is not None:
        put = asked.put

        def put_and_wake(*args, **kwargs):
            put(*args, **kwargs)
            wake()

        asked.put = put_and_wake


def knows_facts_of(manager, host_name):
    """Whether a variable manager has a host's facts already."""
    if hasattr(manager, "_facts_gathered_for_host"):
        return manager._facts_gathered_for_host(host_name)
    # Before 2.19.
    facts = manager._fact_cache.get(host_name, {})
    return facts.get("_ansible_facts_gathered", False)


def validates_arguments(play):
    """Whether a play's own variables are checked before its tasks, from 2.20 on:
    one result more per host."""
    wanted = getattr(play, "validate_argspec", None)
    # What is a template is known when the play starts.
    return bool(wanted) and "{" not in str(wanted)


def keeps_remote_files():
    """Whether what a module leaves is to stay, for somebody to look at."""
    from ansible import constants

    return constants.DEFAULT_KEEP_REMOTE_FILES


def temporary_directories():
    """Where Ansible makes directories for itself, and, as it is configured, where
    for modules on a host that its shell plugin speaks to."""
    from ansible import constants
    from ansible.plugins.loader import shell_loader

    shell = shell_loader.get("sh")
    shell.set_options()
    return (os.path.dirname(constants.DEFAULT_LOCAL_TMP),
            shell.get_option("remote_tmp"))


def give_up_local_tmp():
    """Removes the temporary directory that the import has made for this
    process, in which no run takes place."""
    from ansible import constants
    from ansible.utils.path import cleanup_tmp_file

    atexit.unregister(cleanup_tmp_file)
    try:
        os.rmdir(constants.DEFAULT_LOCAL_TMP)
    except OSError:
        pass


def make_local_tmp():
    """Gives this run a temporary directory of its own, where the import had
    made one."""
    from ansible import constants
    from ansible.config.manager import ensure_type

    constants.DEFAULT_LOCAL_TMP = ensure_type(
        os.path.dirname(constants.DEFAULT_LOCAL_TMP), "tmppath")


def draw_again():
    """Draws anew what the import has drawn: two forks of one process would give
    the same identities to their plays and play tasks."""
    from ansible.utils import vars as utils

    random.seed()
    utils.random_int = "%08x" % random.getrandbits(32)


# The variables that a run was given, as data.
_extra_vars = {}


def take_over_extra_vars():
    """Puts itself where Ansible loads the variables of ``-e``, before plugins are
    loaded: inventory plugins ask, too."""
    from ansible.utils import vars as utils

    load_extra_vars = utils.load_extra_vars
    for module in list(sys.modules.values()):
        if module.__dict__.get("load_extra_vars") is load_extra_vars:
            module.load_extra_vars = lambda loader: _extra_vars


def take_as_data(extra_vars):
    """Gives this run its extra variables, and makes data of all that a message
    has a part in: no text in it is ever a template.

    What stands in an argument is trusted by releases from 2.19 on, and `-e` takes
    no other shape that all of them read as data. So the variables do not travel
    in one: they are put where the arguments' would be kept. What Ansible makes
    variables of by itself (``ansible_run_tags``, ``ansible_limit``, …) it would
    template in every release.

    :param extra_vars: a dictionary of what JSON can say
    """
    global _extra_vars
    from ansible.errors import AnsibleError
    from ansible.utils.unsafe_proxy import wrap_var
    from ansible.vars import manager

    data = _extra_vars = wrap_var(extra_vars)
    init = manager.VariableManager.__init__

    def init_with_data(self, *args, **kwargs):
        init(self, *args, **kwargs)
        options = getattr(self, "_options_vars", None)
        if options is None or self.extra_vars is not data:
            # Without its variables a playbook could do anything.
            raise AnsibleError(
                "ansible-core %s does not take variables in a way that the "
                "worker knows: nothing was run" % ansible_version())
        self._options_vars = {
            name: value if name == "ansible_version" else wrap_var(value)
            for name, value in options.items()
        }

    manager.VariableManager.__init__ = init_with_data
    if release() < (2, 19):
        keep_paths_data()


def keep_paths_data():
    """Lets a path that is made of data be data, too.

    Before 2.19 text knows by its type that it is data, and a path that is joined
    from it is plain text. The path of an `include_tasks` is then templated for a
    second time.
    """
    from ansible.parsing.dataloader import DataLoader
    from ansible.utils.unsafe_proxy import wrap_var

    path_dwim = DataLoader.path_dwim
    path_dwim_relative = DataLoader.path_dwim_relative

    def holds_data(part):
        # Where a path is expected, a message can put anything.
        if isinstance(part, dict):
            return any(map(holds_data, (*part.keys(), *part.values())))
        if isinstance(part, (list, tuple, set)):
            return any(map(holds_data, part))
        return hasattr(part, "__UNSAFE__")

    def kept(path, *parts):
        return wrap_var(path) if any(map(holds_data, parts)) else path

    def kept_path_dwim(self, given):
        return kept(path_dwim(self, given), given)

    def kept_path_dwim_relative(self, path, dirname, source, *args, **kwargs):
        found = path_dwim_relative(self, path, dirname, source, *args, **kwargs)
        return kept(found, path, dirname, source)

    DataLoader.path_dwim = kept_path_dwim
    DataLoader.path_dwim_relative = kept_path_dwim_relative


def keep_out_of_syslog():
    """Lets modules not write into the system's log what they were called with,
    which is what a request holds, unless the configuration says otherwise."""
    from ansible import constants

    name = "DEFAULT_NO_TARGET_SYSLOG"
    _, origin = constants.config.get_config_value_and_origin(name)
    if origin == "default":
        os.environ["ANSIBLE_NO_TARGET_SYSLOG"] = "1"
        setattr(constants, name, True)


def add_vault_password(password):
    """Adds a secret for the default vault id to those that Ansible sets up."""
    from ansible import constants
    from ansible.cli import CLI
    from ansible.parsing.vault import VaultSecret

    set_up = CLI.setup_vault_secrets
    secret = (constants.DEFAULT_VAULT_IDENTITY, VaultSecret(password.encode()))

    def set_up_with_ours(loader, *args, **kwargs):
        secrets = [*(set_up(loader, *args, **kwargs) or []), secret]
        loader.set_vault_secrets(secrets)
        return secrets

    CLI.setup_vault_secrets = staticmethod(set_up_with_ours)
