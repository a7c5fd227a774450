"""Words that stand in an artist's, album's or release's place but name none: "unknown", "Various Artists", "NaN".

Tables and tags are full of them, in every language of the field. Covers that share such a word share nothing. Words are
compared without case, accents, punctuation and spaces, so that "[No Artist]", "no_artist" and "NO ARTIST" are one.
"""

from __future__ import annotations

import unicodedata
from functools import cache

STROKES = frozenset(" \t-–—_?.,/*#<>()[]")  # what empty cells are filled with

# nothing is known, or there is nobody
_UNKNOWN = """
unknown; unknown artist; unknown artists; artist unknown; unknown performer; unknown album; unknown release;
unknown title; not known; none; null; nil; nan; na; n/a; not available; not applicable; not specified; unspecified;
undefined; empty; missing; missing value; no data; no artist; no artists; no name; no album; no title; no release;
tba; tbd; tbc; to be announced; anonymous; anonymous artist; anon; none given; without artist; various/unknown;
unbekannt; unbekannter Künstler; unbekannter Interpret; Interpret unbekannt; Künstler unbekannt; unbekanntes Album;
kein Künstler; kein Interpret; kein Album; keiner; keine Angabe; k. A.; anonym; Anonymus; ohne Interpret;
ohne Titel; inconnu; inconnue; artiste inconnu; interprète inconnu; album inconnu; aucun; aucun artiste;
sans artiste; anonyme; desconocido; desconocida; artista desconocido; intérprete desconocido; álbum desconocido;
ninguno; sin artista; anónimo; sconosciuto; artista sconosciuto; interprete sconosciuto; album sconosciuto; ignoto;
nessuno; nessun artista; anonimo; desconhecido; artista desconhecido; álbum desconhecido; nenhum; sem artista;
anônimo; onbekend; onbekende artiest; artiest onbekend; onbekend album; geen; geen artiest; anoniem; okänd;
okänd artist; okänt album; ingen artist; ukjent; ukjent artist; ukendt; ukendt kunstner; tuntematon;
tuntematon esittäjä; nieznany; nieznany wykonawca; nieznany artysta; nieznany album; brak; brak danych; anonimowy;
neznámý; neznámý interpret; ismeretlen; ismeretlen előadó; bilinmeyen; bilinmeyen sanatçı; άγνωστος; неизвестен;
неизвестно; неизвестный; неизвестный исполнитель; без исполнителя; нет; аноним; 不明; アーティスト不明;
不明なアーティスト; アーティスト情報なし; なし; 名無し; 未知; 未知艺术家; 未知藝人; 佚名; 알 수 없음;
알 수 없는 아티스트
"""
# several, of whom none is the artist: collections, samplers, the music of a film
_VARIOUS = """
various; various artists; various artist; various performers; various composers; various interprets; VA;
multiple artists; mixed artists; assorted artists; assorted; several artists; different artists; diverse artists;
compilation; compilations; compilation album; sampler; mixtape; DJ mix; DJ mixes; soundtrack; soundtracks;
original soundtrack; OST; OMPS; original motion picture soundtrack; motion picture soundtrack; original score;
film soundtrack; movie soundtrack; TV soundtrack; game soundtrack; original game soundtrack; original cast;
original cast recording; cast recording; original Broadway cast; original London cast;
original Broadway cast recording; various artists soundtrack; diverse; diverse Interpreten; diverse Künstler;
div. Interpreten; div.; verschiedene; verschiedene Interpreten; verschiedene Künstler; verschiedene Artisten;
Filmmusik; Original Filmmusik; divers; artistes divers; divers artistes; interprètes divers; artistes variés;
multi-artistes; multi-interprètes; bande originale; bande originale du film; bande originale de film; BOF; B.O.;
compil; varios; varios artistas; artistas varios; varios intérpretes; intérpretes varios; varios autores; AA. VV.;
VV. AA.; VVAA; recopilatorio; banda sonora; banda sonora original; BSO; artisti vari; vari artisti; autori vari;
interpreti vari; vari; raccolta; colonna sonora; colonna sonora originale; vários; vários artistas; artistas vários;
vários intérpretes; artistas diversos; diversos; coletânea; colectânea; trilha sonora; trilha sonora original;
banda sonora originale; diverse artiesten; diverse uitvoerenden; verschillende artiesten; diversen; verzamelalbum;
filmmuziek; blandade artister; diverse artister; olika artister; diverse kunstnere; forskellige kunstnere;
forskjellige artister; samlingsalbum; eri esittäjiä; eri artisteja; różni wykonawcy; różni artyści; rozni wykonawcy;
składanka; ścieżka dźwiękowa; různí interpreti; různí umělci; rôzni interpreti; válogatás; különböző előadók;
çeşitli sanatçılar; karışık; διάφοροι; разные исполнители; различные исполнители; разные артисты; разные; сборник;
саундтрек; ヴァリアス; ヴァリアス・アーティスト; ヴァリアス・アーティスツ; バリアス・アーティスト; オムニバス;
コンピレーション; サウンドトラック; オリジナル・サウンドトラック; サントラ; 群星; 合辑; 合輯; 原声带; 原聲帶;
여러 아티스트; 다양한 아티스트; 사운드트랙
"""


def names_nobody(text: str) -> bool:
    """Return whether a text names no artist, album or release, as nothing is known.

    Examples
    --------
    >>> [names_nobody(text) for text in (" - ", "[Unknown]", "#N/A", "Unbekannter Künstler", "Unknown Hinson", "!!!")]
    [True, True, True, True, False, False]
    """
    key = _key(text)
    return key in _keys(_UNKNOWN) if key else set(text) <= STROKES  # "!!!" is a band


def names_several(text: str) -> bool:
    """Return whether a text says that there are several artists instead of naming any.

    Examples
    --------
    >>> [names_several(text) for text in ("V.A.", "VV.AA.", "Original Soundtrack", "Various Cruelties")]
    [True, True, True, False]
    """
    return _key(text) in _keys(_VARIOUS)


def _key(text: str) -> str:
    """Return a text without case, accents, punctuation and spaces."""
    apart = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in apart if letter.isalnum())


@cache
def _keys(words: str) -> frozenset[str]:
    return frozenset(_key(word) for word in words.split(";"))
