//! The texts of the login.

use crate::http::pages::words::words;

words! {
    Words;
    title: "Connexion", "Sign in";
    user: "Utilisateur", "User";
    password: "Mot de passe", "Password";
    enter: "Se connecter", "Sign in";
    have_link: "J'ai un lien de connexion", "I have a sign-in link";
    link_end: "Fin du lien, après /login/magic/", "The end of the link, after /login/magic/";
    link_title: "Lien de connexion", "Sign-in link";
    link_text: "Ce lien ouvre une session. Il n'est utilisé que si vous appuyez sur le bouton.",
        "This link opens a session. It is used only when you press the button.";
    leave_title: "Déconnexion", "Sign out";
    leave_text: "Votre session sur cet appareil sera terminée.", "Your session on this device will end.";
    leave: "Se déconnecter", "Sign out";
    back: "Revenir", "Back";
}
