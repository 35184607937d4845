<?php

declare(strict_types=1);

namespace RenderSignal\Diagnostics;

/** The words of the pages, in French and English. */
final class Words
{
    private const WORDS = [
        'sign_in' => ['Diagnostics', 'Diagnostics'],
        'token' => ['Jeton (DIAGNOSTICS_TOKEN)', 'Token (DIAGNOSTICS_TOKEN)'],
        'open' => ['Ouvrir', 'Open'],
        'wrong_token' => ['Un jeton est demandé.', 'A token is wanted.'],
        'forbidden' => ['Cette demande vient d\'un autre site.', 'This request comes from another site.'],
        'failed' => ['Cette page ne peut pas être affichée', 'This page cannot be shown'],
        'status' => ['État', 'Status'],
        'test' => ['Liens et essais', 'Links and trials'],
        'gmail' => ['Compte Gmail', 'Gmail account'],
        'receiver' => ['Récepteur', 'Receiver'],
        'receiver_ready' => ['Le récepteur est prêt.', 'The receiver is ready.'],
        'receiver_not_ready' => ['Le récepteur refuse tout : {why}', 'The receiver refuses everything: {why}'],
        'setting' => ['Réglage', 'Setting'],
        'set' => ['renseigné', 'set'],
        'unset' => ['absent', 'missing'],
        'receipts' => ['Webhooks connus : {n}', 'Webhooks known: {n}'],
        'php' => ['PHP', 'PHP'],
        'php_good' => ['PHP {version} convient.', 'PHP {version} is suitable.'],
        'php_old' => ['PHP {version} est trop ancien : il faut la version 8.2.', 'PHP {version} is too old: version 8.2 is needed.'],
        'no_openssl' => ['L\'extension openssl manque : aucun e-mail ne peut partir.', 'The extension openssl is missing: no mail can be sent.'],
        'no_fopen' => ['allow_url_fopen est désactivé : aucun e-mail ne peut partir.', 'allow_url_fopen is off: no mail can be sent.'],
        'limits' => ['post_max_size {post}, memory_limit {memory}', 'post_max_size {post}, memory_limit {memory}'],
        'links' => ['Liste des liens', 'List of links'],
        'list_usable' => ['{file} peut être lu et écrit.', '{file} can be read and written.'],
        'list_unusable' => ['{file} n\'est pas utilisable : {why}', '{file} cannot be used: {why}'],
        'conform' => ['Toutes les entrées sont conformes.', 'Every entry is as it should be.'],
        'not_conform' => ['Écarts : {n}', 'Problems: {n}'],
        'entries' => ['Entrées', 'Entries'],
        'format_r2' => ['Format R2', 'R2 format'],
        'format_legacy' => ['Format historique', 'Legacy format'],
        'format_other' => ['Autres', 'Others'],
        'archives' => ['Archives', 'Archives'],
        'by_provider' => ['Par fournisseur', 'By provider'],
        'recent' => ['Dernières entrées', 'Newest entries'],
        'none' => ['Aucune.', 'None.'],
        'when' => ['Date', 'Time'],
        'format' => ['Format', 'Format'],
        'from' => ['Source', 'Source'],
        'to' => ['Copie', 'Copy'],
        'provider' => ['Fournisseur', 'Provider'],
        'file' => ['Fichier', 'File'],
        'simulate' => ['Simuler', 'Simulate'],
        'simulate_what' => ['Collez un webhook (JSON) ou le texte d\'un e-mail. Rien n\'est enregistré ni envoyé.', 'Paste a webhook (JSON) or the text of a mail. Nothing is recorded or sent.'],
        'result' => ['Résultat', 'Result'],
        'gmail_missing' => ['Le compte Gmail n\'est pas configuré.', 'The Gmail account is not configured.'],
        'gmail_never' => ['Aucune vérification n\'a encore eu lieu.', 'No check has run yet.'],
        'gmail_good' => ['Dernière vérification réussie le {at}.', 'The last check went well, on {at}.'],
        'gmail_bad' => ['Dernière vérification en échec le {at} : {why}', 'The last check failed, on {at}: {why}'],
        'gmail_overdue' => ['Les vérifications ne se font plus : regardez la tâche cron.', 'Checks do not run any more: look at the cron job.'],
        'dry_run' => ['Demander un jeton', 'Ask for a token'],
        'send' => ['Envoyer un e-mail d\'essai', 'Send a test mail'],
        'to_address' => ['Adresse (facultatif)', 'Address (optional)'],
        'other_language' => ['English', 'Français'],
        'not_a_list' => ['le fichier n\'est pas une liste', 'the file is no list'],
        'not_an_object' => ['n\'est pas un objet', 'is no object'],
        'unknown_format' => ['ni lien, ni copie', 'neither a link nor a copy'],
        'bad_source_url' => ['source_url n\'est pas une adresse', 'source_url is no address'],
        'bad_r2_url' => ['r2_url n\'est pas une adresse', 'r2_url is no address'],
        'bad_provider' => ['provider n\'est pas un nom', 'provider is no name'],
        'bad_created_at' => ['created_at n\'est pas une date', 'created_at is no time'],
        'bad_url' => ['url n\'est pas une adresse', 'url is no address'],
        'bad_timestamp' => ['timestamp n\'est pas une date', 'timestamp is no time'],
        'entry_problem' => ['Entrée {n} : {what}', 'Entry {n}: {what}'],
    ];

    private function __construct(public readonly bool $isFrench)
    {
    }

    /**
     * What was chosen, or what the browser prefers.
     *
     * @param array<mixed> $server
     */
    public static function chosen(mixed $language, array $server): self
    {
        if ($language === 'fr' || $language === 'en') {
            return new self($language === 'fr');
        }
        $accepted = $server['HTTP_ACCEPT_LANGUAGE'] ?? '';
        $first = is_string($accepted) && preg_match('/\b(fr|en)\b/i', $accepted, $found) === 1 ? strtolower($found[1]) : 'fr';
        return new self($first === 'fr');
    }

    public function language(): string
    {
        return $this->isFrench ? 'fr' : 'en';
    }

    /** @param array<string, string|int> $values in the place of `{name}` */
    public function say(string $name, array $values = []): string
    {
        $pairs = [];
        foreach ($values as $key => $value) {
            $pairs['{' . $key . '}'] = (string) $value;
        }
        return strtr(self::WORDS[$name][$this->isFrench ? 0 : 1] ?? $name, $pairs);
    }
}
