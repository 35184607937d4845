//! What stands around every page, in both languages.

use crate::http::pages::words::words;

words! {
    Words;
    skip: "Aller au contenu", "Skip to the content";
    sections: "Sections", "Sections";
    overview: "Vue d'ensemble", "Overview";
    overview_short: "Accueil", "Home";
    mails: "Mails", "Mails";
    rules: "Règles", "Rules";
    settings: "Réglages", "Settings";
    system: "Système", "System";
    access: "Accès", "Access";
    menu: "Menu", "Menu";
    language: "Langue", "Language";
    theme: "Thème", "Theme";
    auto: "Auto", "Auto";
    light: "Clair", "Light";
    dark: "Sombre", "Dark";
    signed_in: "Connecté\u{a0}:", "Signed in:";
    sign_out: "Se déconnecter", "Sign out";
    api: "L'API, à essayer", "The API, to try it";
    live: "En direct", "Live";
    polling: "Actualisé toutes les 15 s", "Refreshed every 15 s";
    paused: "Reconnexion…", "Reconnecting…";
    over: "Session terminée", "Session ended";
    no_script: "Sans script\u{a0}: rechargez la page pour la mettre à jour.", "Without script: reload the page to bring it up to date.";
    ended: "Votre session est terminée.", "Your session has ended.";
    ended_kept: "Ce que vous avez saisi ici est gardé dans ce navigateur.", "What you typed here is kept in this browser.";
    sign_in_again: "Se reconnecter", "Sign in again";
    restored: "Votre saisie non enregistrée a été reprise.", "What you had typed and not saved is back.";
    copied: "Copié", "Copied";
    stopping: "Le programme redémarre\u{a0}: la page se mettra à jour.", "The program restarts: the page will come up to date.";
}
