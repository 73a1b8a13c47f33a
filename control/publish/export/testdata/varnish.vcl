import std;
# category "os", "pub/os"
sub waypost_os {
    unset req.http.Waypost-To;
    set req.http.Waypost-Draw = std.random(0, 10000);
    if (false) {
    } elsif (req.http.Waypost-Country == "DE") {
        if (std.real(req.http.Waypost-Draw, 0.0) < 7692.0) {
            set req.http.Waypost-To = "https://de1.example.org/os";
        } else {
            set req.http.Waypost-To = "http://de2.example.org/a%3Bb%24c%27d";
        }
    } elsif (req.http.Waypost-Country == "KP") {
        if (std.real(req.http.Waypost-Draw, 0.0) < 7142.0) {
            set req.http.Waypost-To = "https://de1.example.org/os";
        } elsif (std.real(req.http.Waypost-Draw, 0.0) < 9285.0) {
            set req.http.Waypost-To = "http://de2.example.org/a%3Bb%24c%27d";
        } else {
            set req.http.Waypost-To = "https://[2001:db8::1]:8443/os";
        }
    } elsif (req.http.Waypost-Country == "US") {
            set req.http.Waypost-To = "https://us1.example.org/os";
    } else {
        if (std.real(req.http.Waypost-Draw, 0.0) < 7142.0) {
            set req.http.Waypost-To = "https://de1.example.org/os";
        } elsif (std.real(req.http.Waypost-Draw, 0.0) < 9285.0) {
            set req.http.Waypost-To = "http://de2.example.org/a%3Bb%24c%27d";
        } else {
            set req.http.Waypost-To = "https://[2001:db8::1]:8443/os";
        }
    }
    unset req.http.Waypost-Draw;
}
# category "Fedora Linux", "pub/fedora/linux"
sub waypost_fedora_linux {
    unset req.http.Waypost-To;
    set req.http.Waypost-Draw = std.random(0, 10000);
    if (false) {
    } elsif (req.http.Waypost-Country == "DE") {
            set req.http.Waypost-To = "https://de2.example.org/fedora";
    } elsif (req.http.Waypost-Country == "KP") {
            set req.http.Waypost-To = "https://de2.example.org/fedora";
    } elsif (req.http.Waypost-Country == "US") {
            set req.http.Waypost-To = "https://us1.example.org/fedora";
    } else {
            set req.http.Waypost-To = "https://de2.example.org/fedora";
    }
    unset req.http.Waypost-Draw;
}
