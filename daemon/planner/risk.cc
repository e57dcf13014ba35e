#include "planner/risk.h"

#include <algorithm>
#include <map>

#include "base/lower.h"
#include "base/string_member.h"
#include "planner/own_tools.h"
#include "planner/pressing_word.h"

namespace selfagent {

namespace {

class CallJudge {
 public:
  explicit CallJudge(const Surroundings& around) : around_(around) {}

  Reasons judge(const std::string& tool, const Json& arguments) {
    static const std::map<std::string, void (CallJudge::*)(const Json&), std::less<>> judges{
        {"shell", &CallJudge::shell},
        {"run_code", &CallJudge::run_code},
        {"launch", &CallJudge::launch},
        {"process_write", &CallJudge::process_write},
        {"process_signal", &CallJudge::process_signal},
        {"write_file", &CallJudge::write_file},
        {"edit_file", &CallJudge::edit_file},
        {"move_file", &CallJudge::move_file},
        {"delete_file", &CallJudge::delete_file},
        {"type", &CallJudge::type},
        {"key", &CallJudge::key},
        {"click", &CallJudge::click},
        {"drag", &CallJudge::drag},
        {"mouse_button", &CallJudge::mouse_button},
        {"actions", &CallJudge::actions},
        {"done", &CallJudge::done},
    };
    if (const auto known = judges.find(tool); known != judges.end())
      (this->*known->second)(arguments);
    return std::move(reasons_);
  }

 private:
  void add(std::string reason) { add_reason(reasons_, std::move(reason)); }
  void add_all(Reasons reasons) {
    for (std::string& reason : reasons) add(std::move(reason));
  }
  void judge_path(const std::string& path) { add(judge_written_path(path, around_.place)); }

  void shell(const Json& arguments) {
    if (const auto secrets = arguments.find("secrets");
        secrets != arguments.end() && secrets->is_array()) {
      for (const Json& name : *secrets) {
        if (!name.is_string()) continue;
        add("it gives the secret " + name.get<std::string>() + " to " +
            quoted_for_reason(string_member(arguments, "command")));
      }
    }
    if (const auto env = arguments.find("env"); env != arguments.end() && env->is_object()) {
      for (const auto& [name, value] : env->items()) {
        const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
        // Read as an assignment before the command, which it is.
        add_all(judge_shell(name + "=x true", around_.place));
        if (name == "PWD" || name == "HOME") add("it changes " + name + " to " + text);
      }
    }
    RiskPlace place = around_.place;
    const std::string folder = string_member(arguments, "cwd");
    if (!folder.empty()) judge_path(folder);
    if (!folder.empty()) place.folder = folder;
    // A session remembers where it was.
    if (folder.empty() && !string_member(arguments, "session").empty()) place.folder = std::nullopt;
    add_all(judge_shell(string_member(arguments, "command"), place));
  }

  void run_code(const Json& arguments) {
    add_all(judge_code(string_member(arguments, "language"), string_member(arguments, "code"),
                       around_.place));
  }

  void launch(const Json& arguments) {
    add_all(judge_shell(string_member(arguments, "command"), around_.place));
    add(judge_address(string_member(arguments, "url")));
  }

  // Nobody knows what reads it: it is judged as what the worst reader, a shell, makes of it.
  void process_write(const Json& arguments) {
    const std::string text = string_member(arguments, "data");
    add_all(judge_shell(text, somewhere()));
    add_all(judge_code("python", text, around_.place));
  }

  void process_signal(const Json& arguments) {
    add("it ends or signals the program " + string_member(arguments, "id"));
  }

  void write_file(const Json& arguments) {
    const std::string path = string_member(arguments, "path");
    judge_path(path);
    const auto append = arguments.find("append");
    const bool adds = append != arguments.end() && *append == true;
    if (!adds && around_.place.exists && around_.place.exists(path)) {
      add("it replaces the file " + path + ", which exists");
    }
  }
  void edit_file(const Json& arguments) { judge_path(string_member(arguments, "path")); }
  void move_file(const Json& arguments) {
    judge_path(string_member(arguments, "from"));
    judge_path(string_member(arguments, "to"));
  }
  void delete_file(const Json& arguments) {
    const std::string path = string_member(arguments, "path");
    add("it deletes " + path);
    judge_path(path);
  }

  // Of a shell that is somewhere.
  RiskPlace somewhere() const {
    RiskPlace place = around_.place;
    place.folder = std::nullopt;
    return place;
  }

  CallTarget focus() const { return around_.focus ? around_.focus() : CallTarget(); }

  void type(const Json& arguments) {
    const std::string secret = string_member(arguments, "secret");
    const std::string text = string_member(arguments, "text");
    const CallTarget target = focus();
    if (!secret.empty()) {
      add("it types the secret " + secret + " into the window \"" + target.window + "\"");
    }
    if (target.terminal) add_all(judge_shell(text, somewhere()));
    for (size_t at = text.find("http"); at != std::string::npos; at = text.find("http", at + 1)) {
      add(judge_address(text.substr(at, text.find_first_of(" \n\t", at) - at)));
    }
    if (!target.terminal && text.find('\n') != std::string::npos) judge_enter(target);
  }

  void key(const Json& arguments) {
    const std::string keys = lower(string_member(arguments, "keys"));
    if (keys.find("ctrl+alt+") != std::string::npos ||
        keys.find("shift+delete") != std::string::npos) {
      add("it presses " + quoted_for_reason(keys));
    }
    const bool pastes = keys.find("ctrl+shift+v") != std::string::npos ||
                        keys.find("shift+insert") != std::string::npos;
    const bool enter =
        keys.find("return") != std::string::npos || keys.find("enter") != std::string::npos ||
        keys.find("ctrl+m") != std::string::npos || keys.find("ctrl+j") != std::string::npos;
    const bool space = keys.find("space") != std::string::npos;
    if (!enter && !space && !pastes) return;
    const CallTarget target = focus();
    if (target.terminal && pastes) {
      return add("it pastes what nobody has looked at into the terminal \"" + target.window + "\"");
    }
    if (target.terminal && enter) {
      return add("it runs what stands in the terminal \"" + target.window + "\"");
    }
    if (enter) return judge_enter(target);
    judge_names("presses", target.names, target.window);
  }

  void judge_names(const std::string& how, const std::vector<std::string>& names,
                   const std::string& window) {
    for (const std::string& name : names) {
      if (pressing_word(name).empty()) continue;
      add("it " + how + " \"" + name + "\" in the window \"" + window + "\"");
    }
  }

  void judge_enter(const CallTarget& target) {
    judge_names("presses", target.names, target.window);
    judge_names("may press", target.buttons, target.window);
  }

  void click(const Json& arguments) {
    const auto x = arguments.find("x");
    const auto y = arguments.find("y");
    if (x == arguments.end() || y == arguments.end() || !x->is_number() || !y->is_number()) return;
    if (const auto frame = arguments.find("frame"); frame != arguments.end() && !frame->is_null()) {
      return add("it clicks a position of an earlier picture, so nobody can tell what it hits");
    }
    if (!around_.at) return;
    const CallTarget target = around_.at({x->get<int>(), y->get<int>()});
    if (target.terminal && string_member(arguments, "button") == "middle") {
      add("it pastes what nobody has looked at into the terminal \"" + target.window + "\"");
    }
    judge_names("clicks", target.names, target.window);
  }

  // Where it ends counts.
  void drag(const Json& arguments) {
    const auto path = arguments.find("path");
    if (path == arguments.end() || !path->is_array() || path->empty()) return;
    const Json& last = path->back();
    if (!last.is_array() || last.size() != 2 || !last[0].is_number() || !last[1].is_number())
      return;
    if (!around_.at) return;
    const CallTarget target = around_.at({last[0].get<int>(), last[1].get<int>()});
    for (const std::string& name : target.names) {
      const std::string word = lower(name);
      if (word.find("trash") == std::string::npos && word.find("bin") == std::string::npos)
        continue;
      add("it drops something on \"" + name + "\"");
    }
    judge_names("drops something on", target.names, target.window);
  }

  void mouse_button(const Json&) {
    if (!around_.at_pointer) return;
    const CallTarget target = around_.at_pointer();
    judge_names("clicks", target.names, target.window);
  }

  void actions(const Json& arguments) {
    const auto steps = arguments.find("steps");
    if (steps == arguments.end() || !steps->is_array()) return;
    // mouse_button presses where a move before it has put the pointer.
    Json last_move;
    for (size_t i = 0; i < steps->size(); ++i) {
      const Json& step = (*steps)[i];
      if (!step.is_object()) continue;
      const std::string tool = string_member(step, "tool");
      const Json inner = step.value("arguments", Json::object());
      if (!inner.is_object()) continue;
      if (tool == "move") last_move = inner;
      CallJudge judge(around_);
      Reasons found = tool == "mouse_button" && last_move.is_object()
                          ? judge.judge("click", last_move)
                          : judge.judge(tool, inner);
      for (const std::string& reason : found) {
        add("step " + std::to_string(i + 1) + " (" + tool + "): " + reason);
      }
    }
  }

  // Its checks may be commands.
  void done(const Json& arguments) {
    const auto checks = arguments.find("checks");
    if (checks == arguments.end() || !checks->is_array()) return;
    for (const Json& check : *checks) {
      if (check.is_object()) add_all(judge_shell(string_member(check, "command"), around_.place));
    }
  }

  const Surroundings& around_;
  Reasons reasons_;
};

bool runs_a_command(const Json& arguments) {
  const auto checks = arguments.find("checks");
  return checks != arguments.end() && checks->is_array() &&
         std::any_of(checks->begin(), checks->end(), [](const Json& check) {
           return check.is_object() && !string_member(check, "command").empty();
         });
}

}  // namespace

Surroundings surroundings_of(ToolContext& context) {
  Surroundings around;
  around.place.roots = own_folders(context);
  around.place.read = [&context](const std::string& path) { return text_of_file(context, path); };
  around.place.exists = [&context](const std::string& path) { return file_exists(context, path); };
  around.at = [&context](Point at) { return target_at(context, at); };
  around.at_pointer = [&context] { return target_at_pointer(context); };
  around.focus = [&context] { return target_of_focus(context); };
  return around;
}

Reasons judge_call(const Tool& tool, const Json& arguments, const Surroundings& around) {
  if (tool.annotations.read_only || !arguments.is_object()) return {};
  return CallJudge(around).judge(tool.name, arguments);
}

Reasons reasons_to_ask(ApprovalPolicy policy, const Tool& tool, const Json& arguments,
                       const Surroundings& around) {
  if (policy == ApprovalPolicy::off) return {};
  Reasons reasons = judge_call(tool, arguments, around);
  if (policy == ApprovalPolicy::risky || !reasons.empty() || tool.annotations.read_only) {
    return reasons;
  }
  // What acts on the run alone changes nothing in the sandbox.
  const bool own = OwnTools::is_own(tool.name);
  if (own && !runs_a_command(arguments)) return {};
  return {"every call that changes something is asked for"};
}

}  // namespace selfagent
