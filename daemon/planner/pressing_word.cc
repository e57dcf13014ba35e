#include "planner/pressing_word.h"

#include <array>

#include "base/lower.h"

namespace selfagent {

namespace {

// What a button says that cannot be taken back, in some languages.
constexpr std::array pressing_words{
    "send",        "pay",        "buy",        "order",     "purchase",
    "checkout",    "check out",  "delete",     "remove",    "erase",
    "discard",     "publish",    "post",       "submit",    "sign",
    "confirm",     "transfer",   "donate",     "share",     "tweet",
    "upload",      "install",    "format",     "overwrite", "replace",
    "empty trash", "shut down",  "restart",    "subscribe", "unsubscribe",
    "revoke",      "authorize",  "allow",      "grant",     "accept",
    "senden",      "absenden",   "abschicken", "kaufen",    "bezahlen",
    "zahlen",      "bestellen",  "löschen",    "entfernen", "veröffentlichen",
    "bestätigen",  "überweisen", "teilen",     "hochladen", "envoyer",
    "payer",       "acheter",    "commander",  "supprimer", "publier",
    "confirmer",   "enviar",     "pagar",      "comprar",   "eliminar",
    "borrar",      "publicar",   "confirmar"};

// A letter, or a byte of one that is not ASCII.
bool in_a_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

std::string pressing_word(const std::string& name) {
  const std::string text = lower(name);
  if (text.starts_with("sign in") || text.starts_with("sign out")) return "";
  for (const std::string word : pressing_words) {
    for (size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
      const size_t end = at + word.size();
      const bool begins = at == 0 || !in_a_word(text[at - 1]);
      if (begins && (end == text.size() || !in_a_word(text[end]))) return word;
    }
  }
  return "";
}

}  // namespace selfagent
